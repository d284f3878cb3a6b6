// SPDX-License-Identifier: GPL-2.0-only
static int good(int a)
{
	return a;
}

static int bad(int a)
{
	if(a) /* bad */
		return 1;
        return a; /* bad */
}
