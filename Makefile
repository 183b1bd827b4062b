# vmm: build, test, measure. `make help` lists the targets.
#
#   make V=1            show commands         make CC=clang      another compiler
#   make ARCH=arm64     cross-build           make SAN=asan      a sanitizer build in its own folder

HOST_ARCH := $(subst aarch64,arm64,$(shell uname -m))
ARCH      ?= $(HOST_ARCH)
SAN       ?=
V         ?= 0
PREFIX    ?= /usr/local

ARCH_DIR_x86_64 := x86
ARCH_DIR_arm64  := arm64
ARCH_DIR        := $(ARCH_DIR_$(ARCH))
# src/arch/virt is for all whose machine is `virt`.
ARCH_DIRS       := $(ARCH_DIR) $(if $(filter arm64,$(ARCH)),virt)
ifeq ($(ARCH_DIR),)
$(error ARCH=$(ARCH) is not supported; use x86_64 or arm64)
endif

# A cross build: Debian's compiler for the other architecture, or any clang told so.
TRIPLE_x86_64 := x86_64-linux-gnu
TRIPLE_arm64  := aarch64-linux-gnu
ifneq ($(ARCH),$(HOST_ARCH))
CROSS := $(TRIPLE_$(ARCH))-
ifeq ($(origin CC),default)
CC := $(CROSS)gcc
else ifneq ($(filter clang%,$(notdir $(CC))),)
override CC := $(CC) --target=$(TRIPLE_$(ARCH))
endif
AR      := $(CROSS)ar
STRIP   := $(CROSS)strip
OBJCOPY := $(CROSS)objcopy
endif
STRIP   ?= strip
OBJCOPY ?= objcopy

BUILD := build/$(ARCH)$(if $(SAN),-$(SAN))$(if $(filter clang%,$(notdir $(CC))),-clang)
Q     := $(if $(filter 1,$(V)),,@)

# --- flags ------------------------------------------------------------------
WARN := -Wall -Wextra -Werror -Wshadow -Wvla -Wundef -Wpointer-arith -Wwrite-strings -Wformat=2 \
        -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wimplicit-fallthrough \
        -Wcast-qual -Wpedantic
OPT  ?= -O2 -g
CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
CFLAGS   += -std=c17 $(OPT) -fno-common -ffunction-sections -fdata-sections \
            -fstack-protector-strong -fPIE
# One build of each object serves the program and the libraries, of which only what VMM_API marks shows.
CFLAGS_src     := -fPIC -ftls-model=initial-exec -fvisibility=hidden
CFLAGS_devices := $(CFLAGS_src)
CFLAGS_virtio  := $(CFLAGS_src)
# noseparate-code: fewer, larger mappings; a start of a guest is 5 % shorter.
LDFLAGS  += -pie -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now -Wl,-z,noseparate-code
LDLIBS   += -lpthread

SAN_FLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# TSan does not know fences, so what needs one has no TSan test; gcc's warning of it comes only where one is inlined.
SAN_FLAGS_tsan := -fsanitize=thread -fno-omit-frame-pointer $(if $(findstring clang,$(CC)),,-Wno-tsan)
SAN_LOG        := $(CURDIR)/$(BUILD)/tests/unit/asan-report
SAN_ENV_asan   := ASAN_OPTIONS=log_path=$(SAN_LOG)
SAN_ENV_tsan   := TSAN_OPTIONS=halt_on_error=1
CFLAGS  += $(SAN_FLAGS_$(SAN))
LDFLAGS += $(SAN_FLAGS_$(SAN))
ifeq ($(SAN),)
CPPFLAGS += -D_FORTIFY_SOURCE=2
endif

# Optional: capstone disassembles at the instruction pointer of a crashed guest. It is
# loaded at that moment (dlopen), so it costs nothing before.
ifeq ($(shell pkg-config --exists capstone 2>/dev/null && echo yes),yes)
CPPFLAGS += -DHAVE_CAPSTONE $(shell pkg-config --cflags capstone)
endif

# On arm64: the device tree (libfdt) and compressed kernels (zlib). A cross build links those that
# tools/deps keeps in a folder, since the packages of two architectures cannot be installed at once.
ifneq ($(CROSS),)
SYSROOT   := build/$(ARCH)/sysroot
CPPFLAGS  += -isystem $(SYSROOT)/usr/include -isystem $(SYSROOT)/usr/include/$(TRIPLE_$(ARCH))
FDT_LIBS  := -L$(SYSROOT)/usr/lib/$(TRIPLE_$(ARCH)) -l:libfdt.a -l:libz.a
CFLAGS_tests   := -isystem $(SYSROOT)/test/usr/include
UNIT_LIB_PATH  := $(CURDIR)/$(SYSROOT)/test/usr/lib/$(TRIPLE_$(ARCH))
UNIT_LIBS      := -L$(UNIT_LIB_PATH) -Wl,--allow-shlib-undefined
else
FDT_LIBS  := -lfdt -lz
endif
# Criterion's macros do not keep to all of our warnings.
CFLAGS_tests += -Wno-pedantic -Wno-missing-prototypes -Wno-cast-qual -Wno-strict-prototypes \
                -Wno-old-style-definition
# Tests are compiled once and run once: without optimization that takes a third of the time.
CFLAGS_once  := $(if $(SAN),,-O0 -U_FORTIFY_SOURCE)
ifeq ($(ARCH),arm64)
LDLIBS += $(FDT_LIBS)
endif

VERSION  := $(shell cat VERSION 2>/dev/null || echo 0)
CPPFLAGS += -DVMM_VERSION='"$(VERSION)"'

# --- sources ----------------------------------------------------------------
# Formats of kernels, and tables, that only one architecture has.
BOOT_x86   := $(patsubst %,src/boot/%.c,boot_params code detect_x86 elf flat linux_x86 multiboot pieces pvh)
BOOT_arm64 := $(patsubst %,src/boot/%.c,gunzip linux_arm64 linux_image) \
              $(patsubst %,src/arch/%.c,fdt_nodes tree tree_board)
BOOT_OTHER := $(filter-out $(BOOT_$(ARCH_DIR)),$(BOOT_x86) $(BOOT_arm64))
LIB_SRC := $(filter-out src/main.c $(BOOT_OTHER),$(wildcard src/*.c src/lib/*.c src/base/*.c src/mem/*.c \
             src/console/*.c src/exec/*.c src/snapshot/*.c src/kvm/*.c src/boot/*.c src/arch/*.c \
             $(ARCH_DIRS:%=src/arch/%/*.c) \
             devices/*.c virtio/*.c virtio/backend/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(BUILD)/guest-images/exec-init/image.o
MAIN_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/main.c))
# vmm-test, of which main.c is not tested in units.
SUITE_SRC := $(wildcard tools/suite/*.c)
SUITE_OBJ := $(SUITE_SRC:%.c=$(BUILD)/%.o)
# The code of all architectures that needs no KVM is tested on every host; tests/unit/x86 and
# tests/unit/arm64 have the tests of the rest.
NO_KVM_x86   := $(BOOT_x86) $(patsubst %,src/arch/x86/%.c,acpi acpi_dsdt acpi_pci aml aml_resources \
                inventory memmap mptable)
NO_KVM_arm64 := $(BOOT_arm64) src/arch/arm64/fdt.c src/arch/arm64/walk.c
UNIT_OTHER := $(filter-out $(LIB_SRC),$(NO_KVM_x86) $(NO_KVM_arm64))
# A cross build has the tests of what its architecture alone has: its lab is a hundred times as slow (UNIT_ALL=yes: all).
ifneq ($(CROSS),)
UNIT_LEFT_OUT := $(if $(UNIT_ALL),,$(filter-out $(patsubst %,tests/unit/test_%.c,irqchip kvm reg_names saved vcpu), \
                   $(wildcard tests/unit/test_*.c)))
endif
UNIT_SRC := $(filter-out $(UNIT_LEFT_OUT),$(wildcard tests/unit/*.c tests/unit/$(ARCH_DIR)/*.c)) $(UNIT_OTHER) \
            $(filter-out tools/suite/main.c,$(SUITE_SRC))
UNIT_OBJ := $(UNIT_SRC:%.c=$(BUILD)/%.o)
PUBLIC_LIBS := $(BUILD)/lib/libvmm.a $(BUILD)/lib/libvmm.so
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCHES  := $(BENCH_SRC:%.c=$(BUILD)/%)

.PHONY: all help check check-unit check-boot boot-machines boot-guests check-lab bench bench-boot demo guests \
        format lint docs check-docs asan tsan install clean FORCE

all: $(if $(MAIN_OBJ),$(BUILD)/vmm) $(BUILD)/vmm-test $(BUILD)/libvmm.a $(if $(SAN)$(CROSS),,$(if $(MAIN_OBJ),vmm)) \
     $(if $(SAN),,$(PUBLIC_LIBS))

help:
	@sed -n 's/^#: //p' Makefile

# A change of compiler, flags or the libraries' headers rebuilds everything: the command line and the versions are a
# prerequisite. A package's files have dates older than the objects, and -MMD leaves them out.
DEV_PACKAGES := libc6-dev linux-libc-dev libcapstone-dev libfdt-dev zlib1g-dev libcriterion-dev \
                $(if $(CROSS),libc6-dev-$(ARCH)-cross linux-libc-dev-$(ARCH)-cross)
VERSIONS   := $(shell $(CC) --version 2>/dev/null | head -n 1; dpkg-query -W $(DEV_PACKAGES) 2>/dev/null)
FLAGS_LINE := $(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_src) $(CFLAGS_tests) $(CFLAGS_once) $(WARN) $(LDFLAGS) $(LDLIBS) $(VERSIONS) $(realpath $(SYSROOT))
$(BUILD)/flags: FORCE | $(SYSROOT)
	@mkdir -p $(@D); echo '$(subst ','\'',$(FLAGS_LINE))' | cmp -s - $@ || \
	    echo '$(subst ','\'',$(FLAGS_LINE))' > $@

# So does a change of the list of sources: what a removed one has left is not linked again.
$(BUILD)/sources: FORCE
	@mkdir -p $(@D); echo '$(LIB_SRC) $(UNIT_SRC)' | cmp -s - $@ || echo '$(LIB_SRC) $(UNIT_SRC)' > $@

$(SYSROOT):
	$(error The libraries of $(ARCH) are missing: run tools/deps $(ARCH))

# ccache, where it is installed (CCACHE= is without): what it has compiled in one checkout is not compiled in another,
# whose debug information is the same without the name of its folder.
CCACHE     ?= $(shell command -v ccache)
PREFIX_MAP := -fdebug-prefix-map=$(CURDIR)=.
$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $<")
	$(Q)$(CCACHE) $(CC) $(PREFIX_MAP) $(CPPFLAGS) $(CFLAGS) $(WARN) $(CFLAGS_$(firstword $(subst /, ,$<))) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%.o $(BUILD)/tests/boot/machines/%.o: CFLAGS_tests += $(CFLAGS_once)

# All objects, for the program and for tests that look inside. What is installed is in lib/.
$(BUILD)/libvmm.a: $(LIB_OBJ) $(BUILD)/sources
	$(if $(Q),@echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

$(BUILD)/vmm: $(MAIN_OBJ) $(BUILD)/libvmm.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/vmm-test: $(SUITE_OBJ) $(BUILD)/libvmm.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

vmm: $(BUILD)/vmm
	$(Q)ln -sf $(BUILD)/vmm $@

# The libraries. Of the static one only what VMM_API marks can be seen from outside: its objects
# are linked into one, whose other symbols become local.
PUBLIC_OBJ := $(filter-out $(BUILD)/src/run_cli.o $(BUILD)/src/doctor.o,$(LIB_OBJ))
$(BUILD)/lib/libvmm.a: $(PUBLIC_OBJ) $(BUILD)/sources
	$(if $(Q),@echo "  AR      $@")
	$(Q)mkdir -p $(@D) && rm -f $@
	$(Q)$(CC) -r -nostdlib -o $(BUILD)/lib/vmm.o $(PUBLIC_OBJ)
	$(Q)$(OBJCOPY) --localize-hidden $(BUILD)/lib/vmm.o && $(AR) rcs $@ $(BUILD)/lib/vmm.o
	$(Q)rm $(BUILD)/lib/vmm.o
SONAME := libvmm.so.0
$(BUILD)/lib/libvmm.so: $(PUBLIC_OBJ) $(BUILD)/sources
	$(if $(Q),@echo "  LD      $@")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -pie,$(LDFLAGS)) -shared -Wl,-soname,$(SONAME) -Wl,--no-undefined \
	    -o $(BUILD)/lib/$(SONAME) $(PUBLIC_OBJ) $(LDLIBS)
	$(Q)ln -sf $(SONAME) $@

# --- tests ------------------------------------------------------------------
# Where programs of another architecture run, and micro-guests on a machine that has no KVM but a lab.
IN_LAB := tools/lab --arch $(ARCH) --memory 8192 --timeout 0 --cpu-limit $(if $(SAN),20000,2000) --
IN_LAB_LIBS := $(if $(CROSS),LD_LIBRARY_PATH=$(UNIT_LIB_PATH))
NO_KVM = $(if $(wildcard /dev/kvm),,$(shell command -v qemu-system-$(subst arm64,aarch64,$(ARCH))))
BOOT_IN = $(if $(CROSS)$(NO_KVM),$(IN_LAB))
# The names of the cases come from programs, which run here only if they are not cross-built.
BOOT_RUN = $(if $(CROSS),$(IN_LAB) env BUILD=$(BUILD) tests/boot/run,$(if $(NO_KVM),tests/boot/in-labs $(IN_LAB),tests/boot/run))

# Criterion finds its tests by their section, which --gc-sections would drop.
$(BUILD)/tests/unit/unit: $(UNIT_OBJ) $(BUILD)/libvmm.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(LDFLAGS) -Wl,--no-gc-sections -rdynamic -o $@ $^ $(LDLIBS) $(FDT_LIBS) $(UNIT_LIBS) -lcriterion

# What tests are run with. `limit` starts each of hundreds of commands: linked statically, it takes a third of the
# time in the lab.
BOOT_TOOLS := $(BUILD)/tests/boot/talk $(BUILD)/tests/boot/limit
LIMIT      := $(BUILD)/tests/boot/limit $(if $(SAN)$(UNIT_ALL),20000,200)
$(BUILD)/tests/boot/talk: $(BUILD)/tests/boot/talk.o
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^
$(BUILD)/tests/boot/limit: $(BUILD)/tests/boot/limit.o
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(if $(SAN),$(LDFLAGS),$(filter-out -pie,$(LDFLAGS)) -static) -o $@ $^

# Machines of libvmm, made by Criterion tests.
MACHINES_SRC := $(wildcard tests/boot/machines/*.c tests/boot/machines/$(ARCH_DIR)/*.c)
MACHINES := $(BUILD)/tests/boot/machines/machines $(BUILD)/tests/boot/failing/failing
MACHINES_GUESTS := $(BUILD)/tests/boot/machines/guests_$(ARCH_DIR).o $(BUILD)/tests/unit/tsan_arena.o
$(BUILD)/tests/boot/machines/%.o: tests/boot/machines/%.S $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(Q),@echo "  AS      $<")
	$(Q)$(CC) $(CPPFLAGS) -c -o $@ $<
$(BUILD)/tests/boot/machines/machines: $(MACHINES_SRC:%.c=$(BUILD)/%.o)
$(BUILD)/tests/boot/failing/failing: $(BUILD)/tests/boot/failing/failing.o
$(MACHINES): $(MACHINES_GUESTS) $(BUILD)/libvmm.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(LDFLAGS) -Wl,--no-gc-sections -rdynamic -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS) $(UNIT_LIBS) -lcriterion

$(BENCHES): $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libvmm.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

#: make check        every test (the same as tools/check)
#: make check-unit   unit tests; no KVM needed; of another ARCH, those of what only it has, in its lab
#: make check-boot   micro-guests on /dev/kvm; without one, or of another ARCH, in the lab;
#:                   BOOT_ARGS=PATTERN: these alone
#: make check-lab    Linux guests in the lab
check:
	$(Q)tools/check
check-unit: $(BUILD)/tests/unit/unit $(BOOT_TOOLS)
	$(Q)rm -f $(SAN_LOG).*
	$(Q)$(if $(CROSS),$(IN_LAB)) env $(SAN_ENV_$(SAN)) $(IN_LAB_LIBS) \
	    tests/run-criterion $(LIMIT) $(BUILD)/tests/unit/unit --jobs 2 $(UNIT_ARGS)
	@# Criterion does not look at how a test's process ends, and that is when leaks are found.
	$(Q)! grep -s -A 40 'ERROR: ' $(SAN_LOG).*
check-boot: all guests $(BOOT_TOOLS) $(MACHINES)
	$(if $(BOOT_IN),@echo "check-boot: in the lab$(if $(CROSS),,: there is no /dev/kvm)")
	@# Both, whatever one says; with -j at the same time.
	$(Q)$(MAKE) --no-print-directory --keep-going --output-sync=target $(if $(BOOT_ARGS),,boot-machines) boot-guests
boot-machines:
	$(Q)$(BOOT_IN) env $(SAN_ENV_$(SAN)) $(IN_LAB_LIBS) \
	    tests/run-criterion $(LIMIT) $(firstword $(MACHINES)) --jobs 4
boot-guests:
	$(Q)env BUILD=$(BUILD) $(if $(KVM_UNIT_TESTS),KVM_UNIT_TESTS=$(KVM_UNIT_TESTS)) $(BOOT_RUN) $(BOOT_ARGS)
check-lab: all guests $(BOOT_TOOLS)
	$(Q)tests/lab/run $(if $(CROSS),$(ARCH))

#: make asan|tsan    the unit and boot tests under ASan+UBSan or TSan
asan tsan:
	$(Q)$(MAKE) SAN=$@ check-unit check-boot

#: make bench        benchmarks against the raw-ioctl floor and what is installed
#: make bench-boot   Linux boots side by side with QEMU microvm, in the lab
bench: all guests $(BENCHES)
	$(Q)tests/bench/run
bench-boot: all
	$(Q)tests/bench/boot

#: make demo         boots Linux with a disk (the same as tools/demo); ARCH=arm64 works anywhere
demo:
	$(Q)tools/demo $(ARCH)

# --- micro-guests -----------------------------------------------------------
#: make guests       the micro-guests of guest-images/
-include guest-images/guests.mk
-include guest-images/exec-init/init.mk

# --- housekeeping -----------------------------------------------------------
#: make format       clang-format in place
#: make lint         format check, clang-tidy, cppcheck, include directions, check-docs, of what has changed;
#:                   FILE='a.c b.h': of these alone
SOURCES = $(shell find src devices virtio tests tools guest-images -name '*.[ch]')
format:
	$(Q)clang-format -i $(SOURCES)
lint: $(if $(FILE),,check-docs)
	$(Q)tools/lint $(FILE)

#: make docs         docs/devices/ from the devices' tables; check-docs: is it up to date?
DEVICE_DOCS := $(BUILD)/tools/device_docs
$(DEVICE_DOCS): $(DEVICE_DOCS).o $(BUILD)/libvmm.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
docs: $(DEVICE_DOCS)
	$(Q)tools/gen-device-docs $<
check-docs: $(DEVICE_DOCS)
	$(Q)tools/gen-device-docs --check $<

#: make install      vmm and vmm-test, man pages, bash completion, libraries (DESTDIR=, PREFIX=)
install: all
	install -D -m 755 -s --strip-program=$(STRIP) $(BUILD)/vmm $(DESTDIR)$(PREFIX)/bin/vmm
	install -D -m 755 -s --strip-program=$(STRIP) $(BUILD)/vmm-test $(DESTDIR)$(PREFIX)/bin/vmm-test
	install -D -m 644 docs/vmm.1 $(DESTDIR)$(PREFIX)/share/man/man1/vmm.1
	install -D -m 644 docs/vmm-test.1 $(DESTDIR)$(PREFIX)/share/man/man1/vmm-test.1
	install -D -m 644 tools/completion.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vmm
	ln -sf vmm $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vmm-test
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/vmm src/lib/vmm.h src/lib/vmmtest.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib $(BUILD)/lib/libvmm.a $(BUILD)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libvmm.so
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@VERSION@,$(VERSION),' \
	    -e 's,@PRIVATE@,$(LDLIBS),' src/lib/vmm.pc.in \
	    >$(DESTDIR)$(PREFIX)/lib/pkgconfig/vmm.pc

clean:
	rm -rf build vmm

-include $(LIB_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(SUITE_OBJ:.o=.d) $(UNIT_OBJ:.o=.d) $(BENCH_SRC:%.c=$(BUILD)/%.d) \
    $(BOOT_TOOLS:%=%.d) $(MACHINES_SRC:%.c=$(BUILD)/%.d) $(BUILD)/tests/boot/failing/failing.d
