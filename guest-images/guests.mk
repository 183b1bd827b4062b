# Micro-guests: freestanding programs for tests/boot (docs/micro-guests.md).
#
# A C guest micro/NAME.c becomes $(BUILD)/guests/NAME: on x86-64 an ELF64 with a PVH
# note, on arm64 an Image. On x86-64 micro/loader.c is built once more for every
# other form a loader takes. hello is a flat image.

OBJCOPY ?= $(CROSS)objcopy

GUESTS_DIR  := $(BUILD)/guests
GUESTS_OBJ  := $(GUESTS_DIR)/obj
GUESTS_ARCH := guest-images/lib/$(ARCH_DIR)

# General registers only: KVMs that emulate kernel mode have no SSE. No red
# zone: interrupts use the same stack. -O1 keeps the instruction count low
# without turning loops into calls of the functions they implement. Atomics of
# arm64 are inline, as the compiler's library is not linked.
GUESTS_CFLAGS_x86_64 := -mno-red-zone
GUESTS_CFLAGS_arm64  := -mno-outline-atomics
GUESTS_CFLAGS := -std=c17 -O1 -g -ffreestanding -fno-pic -fno-pie $(GUESTS_CFLAGS_$(ARCH)) \
    -mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
    -Iguest-images/lib -I$(GUESTS_ARCH)
GUESTS_LDFLAGS := -nostdlib -static -Wl,--build-id=none

# Guests of both architectures, and in micro/ARCH of one.
GUESTS_BOTH := $(patsubst guest-images/micro/%.c,%,$(wildcard guest-images/micro/*.c))
GUESTS_ONLY := $(patsubst guest-images/micro/$(ARCH_DIR)/%.c,%,\
    $(wildcard guest-images/micro/$(ARCH_DIR)/*.c))
GUESTS_C := $(GUESTS_BOTH) $(GUESTS_ONLY)
GUESTS_FLAT := hello
ifeq ($(ARCH),x86_64)
GUESTS_FORM := loader-elf64 loader-bzimage loader-multiboot loader-multiboot-flat
endif
GUESTS := $(addprefix $(GUESTS_DIR)/,$(GUESTS_C) $(GUESTS_FLAT) $(GUESTS_FORM))

GUESTS_LIB := $(patsubst guest-images/%,$(GUESTS_OBJ)/%.o,\
    $(filter-out $(GUESTS_ARCH)/entry_%,$(wildcard guest-images/lib/*.c $(GUESTS_ARCH)/*.[cS])))
GUESTS_ENTRY := $(GUESTS_OBJ)/lib/$(ARCH_DIR)/entry_

guests: $(GUESTS)

$(GUESTS_OBJ)/%.o: guest-images/% guest-images/guests.mk $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(Q),@echo "  GUEST   $<")
	$(Q)$(CC) $(GUESTS_CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

guest_link = $(CC) $(GUESTS_LDFLAGS) -Wl,-T,$(GUESTS_ARCH)/guest.ld -o $(or $1,$@) $(filter %.o,$^)

$(GUESTS_BOTH:%=$(GUESTS_DIR)/%): $(GUESTS_DIR)/%: $(GUESTS_OBJ)/micro/%.c.o
$(GUESTS_ONLY:%=$(GUESTS_DIR)/%): $(GUESTS_DIR)/%: $(GUESTS_OBJ)/micro/$(ARCH_DIR)/%.c.o

ifeq ($(ARCH),arm64)
# Debuggers want the symbols.
$(GUESTS_C:%=$(GUESTS_DIR)/%): $(GUESTS_LIB) $(GUESTS_ARCH)/guest.ld
	$(Q)$(call guest_link,$(GUESTS_OBJ)/$(@F).elf)
	$(Q)$(OBJCOPY) -O binary $(GUESTS_OBJ)/$(@F).elf $@
else
$(GUESTS_C:%=$(GUESTS_DIR)/%): $(GUESTS_ENTRY)pvh.S.o $(GUESTS_LIB) $(GUESTS_ARCH)/guest.ld
	$(Q)$(guest_link)
endif

$(GUESTS_DIR)/loader-elf64: $(GUESTS_OBJ)/micro/loader.c.o \
    $(GUESTS_ENTRY)linux64.S.o $(GUESTS_LIB) $(GUESTS_ARCH)/guest.ld
	$(Q)$(guest_link)

$(GUESTS_OBJ)/bzimage.elf: $(GUESTS_OBJ)/micro/loader.c.o $(GUESTS_ENTRY)setup.S.o \
    $(GUESTS_ENTRY)linux64.S.o $(GUESTS_LIB) $(GUESTS_ARCH)/guest.ld
	$(Q)$(guest_link)

$(GUESTS_OBJ)/multiboot.elf: $(GUESTS_OBJ)/micro/loader.c.o \
    $(GUESTS_ENTRY)multiboot.S.o $(GUESTS_LIB) $(GUESTS_ARCH)/guest.ld
	$(Q)$(guest_link)

# The protocol leaves clearing .bss to the kernel: zeros in the file are as good.
$(GUESTS_DIR)/loader-bzimage: $(GUESTS_OBJ)/bzimage.elf
	$(Q)$(OBJCOPY) -O binary --set-section-flags .bss=alloc,load,contents $< $@

$(GUESTS_DIR)/loader-multiboot: $(GUESTS_OBJ)/multiboot.elf
	$(Q)$(OBJCOPY) -O elf32-i386 $< $@

$(GUESTS_DIR)/loader-multiboot-flat: $(GUESTS_OBJ)/multiboot.elf
	$(Q)$(OBJCOPY) -O binary $< $@

$(addprefix $(GUESTS_DIR)/,$(GUESTS_FLAT)): $(GUESTS_DIR)/%: $(GUESTS_OBJ)/micro/$(ARCH_DIR)/%.S.o
	$(Q)$(OBJCOPY) -O binary -j .text $< $@

-include $(wildcard $(GUESTS_OBJ)/*/*.d $(GUESTS_OBJ)/*/*/*.d)
