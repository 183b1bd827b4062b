# The init of --exec guests (docs/exec.md): a static program without a C library, embedded into vmm by
# image.S.

INIT_DIR := $(BUILD)/exec-init
INIT_SRC := $(wildcard guest-images/exec-init/*.c) src/exec/frame.c
INIT_OBJ := $(INIT_SRC:%.c=$(INIT_DIR)/%.o)
INIT_IMAGE := $(BUILD)/guest-images/exec-init/image.o

INIT_CFLAGS_arm64 := -mno-outline-atomics
# -O1: more would turn loops into calls of the functions they implement.
INIT_CFLAGS := -std=c17 -O1 -ffreestanding -fno-pic -fno-pie $(INIT_CFLAGS_$(ARCH)) -I. \
    -fno-stack-protector -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections

$(INIT_DIR)/%.o: %.c guest-images/exec-init/init.mk $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(Q),@echo "  INIT    $<")
	$(Q)$(CC) $(INIT_CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(INIT_DIR)/init: $(INIT_OBJ)
	$(Q)$(CC) -nostdlib -static -no-pie -s -Wl,--build-id=none -Wl,--gc-sections -Wl,-z,noexecstack \
	    -Wl,-z,noseparate-code -o $@ $^

$(INIT_IMAGE): guest-images/exec-init/image.S $(INIT_DIR)/init
	@mkdir -p $(@D)
	$(Q)$(CC) -Wa,-I$(INIT_DIR) -c -o $@ $<

-include $(INIT_OBJ:.o=.d)
