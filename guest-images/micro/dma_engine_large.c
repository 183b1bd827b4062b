/*
 * A copy of 64 MiB, compared word by word, then two halves on two channels at
 * once. Wants a dma-engine with max_size=64M and two channels, and 256 MiB of RAM.
 */
#include "dma_engine.h"

#define SIZE    0x4000000U
#define SRC_GPA (RAM_GPA + 0x2000000)
#define DST_GPA (RAM_GPA + 0x6000000)
#define WORDS   (SIZE / 8)

static struct dma_engine dma;

static uint64_t fill(uint64_t seed)
{
    uint64_t *word = (uint64_t *)SRC_GPA;
    for (uint64_t i = 0; i < WORDS; i++) {
        word[i] = (seed + i) * 0x9e3779b97f4a7c15;
    }
    return 0;
}

/* The index of the first word that is not as fill(seed) would have it at DST_GPA; WORDS: none. */
static uint64_t first_wrong(uint64_t seed)
{
    const uint64_t *word = (const uint64_t *)DST_GPA;
    uint64_t i = 0;
    while (i < WORDS && word[i] == (seed + i) * 0x9e3779b97f4a7c15) {
        i++;
    }
    return i;
}

static uint64_t poll(uint64_t channel)
{
    return dma_wait(&dma, (unsigned)channel);
}

static void whole(uint64_t seed)
{
    user_call(fill, seed);
    dma_start(&dma, 0, DST_GPA, SRC_GPA, SIZE);
    CHECK_EQ(user_call(poll, 0), DMA_OK);
    CHECK_EQ(dma_read(&dma, dma_channel(0) + DMA_COPIED), SIZE);
    CHECK_EQ(user_call(first_wrong, seed), WORDS);
}

/* Two channels copy half each, both under way at once; a second START is ignored. */
static void two_halves(uint64_t seed)
{
    user_call(fill, seed);
    dma_start(&dma, 0, DST_GPA, SRC_GPA, SIZE / 2);
    dma_start(&dma, 1, DST_GPA + SIZE / 2, SRC_GPA + SIZE / 2, SIZE / 2);
    CHECK_EQ(user_call(poll, 0), DMA_OK);
    CHECK_EQ(user_call(poll, 1), DMA_OK);
    CHECK_EQ(user_call(first_wrong, seed), WORDS);
}

/* Ranges that overlap, of a size that is copied in pieces: as memmove(), either way. */
static void overlap(uint64_t seed, uint64_t dst)
{
    user_call(fill, seed);
    dma_start(&dma, 0, dst, SRC_GPA, SIZE);
    CHECK_EQ(user_call(poll, 0), DMA_OK);
    dma_start(&dma, 0, DST_GPA, dst, SIZE);
    CHECK_EQ(user_call(poll, 0), DMA_OK);
    CHECK_EQ(user_call(first_wrong, seed), WORDS);
}

/* Bus mastering withdrawn under way: the copy ends, well or with that error. */
static void withdrawn(void)
{
    dma_start(&dma, 0, DST_GPA, SRC_GPA, SIZE);
    pci_command(&dma.dev.pci, 0, PCI_COMMAND_MASTER);
    if (user_call(poll, 0) != DMA_OK) {
        CHECK_EQ(dma_read(&dma, dma_channel(0) + DMA_ERROR), DMA_ERROR_MASTER);
    }
    pci_command(&dma.dev.pci, PCI_COMMAND_MASTER, 0);
}

int guest_main(void)
{
    CHECK(dma_engine_find(&dma, 0));
    CHECK_EQ(dma_read(&dma, DMA_MAX_SIZE), SIZE);
    whole(1);
    two_halves(2);
    overlap(3, SRC_GPA + 0x123458);
    overlap(4, SRC_GPA - 0x123458);
    if (dma.dev.on_pci) {
        withdrawn();
    }
    print("dma_engine_large: ok\n");
    return 0;
}
