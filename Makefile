# SPDX-License-Identifier: GPL-2.0-only
# Every entry point of xen-vtpm; "make help" lists them.

KDIR ?= /lib/modules/$(shell uname -r)/build
DESTDIR ?=
TIME ?= 600
LAB := tools/testing/lab/lab
KBUILD = $(MAKE) -C $(KDIR) M=$(CURDIR) CONFIG_TCG_XEN=m CONFIG_XEN_TPMBACK=m

.DEFAULT_GOAL := all
.PHONY: help all modules tools rogue install install-modules install-tools \
	check test test-unit test-kunit test-lab test-rules test-faults \
	soak storm bench fuzz demo lab-shell clean

help:
	@echo 'Build and install on a Xen host or guest:'
	@echo '  all              modules and tools (the default)'
	@echo '  modules          xen-tpmfront.ko and xen-tpmback.ko, for KDIR=DIR'
	@echo '  tools            vtpmd, vtpm-engine, vtpm-hosttpm and vtpmctl, into build/tools'
	@echo '  install          install-modules and install-tools, below DESTDIR=DIR'
	@echo '  install-modules  the modules, where they win over those of the kernel'
	@echo '  install-tools    daemon, engine, control command, unit and manual pages'
	@echo '  clean            remove what was built'
	@echo 'Try and test (Debian, as root; installs what is missing):'
	@echo '  demo             three guests on an emulated Xen host use their TPMs'
	@echo '  lab-shell        a shell in dom0 of an emulated Xen host'
	@echo '  test             check, test-unit, test-kunit and test-lab'
	@echo '  check            static checks'
	@echo '  test-unit        the tools, without Xen'
	@echo '  test-kunit       the code of both drivers, without Xen, on a kernel with KASAN;'
	@echo '                   KERNEL=kcsan looks for data races instead, debug for neither'
	@echo '  test-lab         both drivers and the tools on an emulated Xen host;'
	@echo '                   TESTS="NAME..." runs some of them only,'
	@echo '                   KERNEL=debug does on a kernel with lockdep, kmemleak and other checks'
	@echo '  test-rules       take rules out of the drivers, see a KUnit test fail for each;'
	@echo '                   RULES="NAME..." tries some of them only. Not part of test'
	@echo '  test-faults      faults committed on purpose, each of which KASAN, KCSAN, lockdep'
	@echo '                   or kmemleak has to find; KERNEL=kasan|kcsan|debug'
	@echo '  soak             COUNT=200 events (suspends, migrations, deaths) upon guests at'
	@echo '                   work; SEED=N|random, TPM=2.0|1.2|both'
	@echo '  storm            WALKS=10000 random states, ATTACH=1000 times attached, hostile'
	@echo '                   frontends and backends for longer; SEED=N|random, KERNEL=debug|stock'
	@echo '  bench            latency, scale and what durability costs, against peers and goals;'
	@echo '                   KEYS="NAME..." measures some of them only, QUICK=1 less often,'
	@echo '                   CROWD=64 is how many vTPMs it has on Xen'
	@echo '  fuzz             TIME=600 seconds of random input to parsers and drivers; TARGETS="NAME..."'
	@echo '  rogue            the test module that plays a hostile frontend or backend'

all: modules tools

modules:
	$(KBUILD) modules

rogue:
	$(KBUILD) VTPM_ROGUE=m modules

tools:
	$(MAKE) -C tools/vtpm

install: install-modules install-tools

install-modules:
	$(KBUILD) INSTALL_MOD_DIR=updates INSTALL_MOD_PATH=$(DESTDIR) modules_install

install-tools:
	$(MAKE) -C tools/vtpm install

check:
	@tools/testing/check

test:
	@tools/testing/run-tests check unit kunit lab

test-unit:
	@tools/testing/run-tests unit

test-kunit:
	@tools/testing/run-tests kunit

test-rules:
	@tools/testing/rules $(RULES)

test-lab:
	@tools/testing/run-tests lab $(TESTS)

test-faults:
	@tools/testing/faulty/run --kernel "$(or $(KERNEL),kasan)"

soak:
	@tools/testing/soak "$(COUNT)" "$(SEED)" "$(TPM)"

storm:
	@tools/testing/storm "$(WALKS)" "$(ATTACH)" "$(SEED)" "$(KERNEL)" $(TESTS)

bench:
	@QUICK="$(QUICK)" CROWD="$(CROWD)" tools/testing/bench/run $(KEYS)

fuzz:
	@tools/testing/fuzz/run "$(TIME)" $(TARGETS)

demo:
	@tools/testing/demo/demo

lab-shell:
	@$(LAB) shell

clean:
	$(KBUILD) clean
	$(MAKE) -C tools/vtpm clean
	rm -rf build
