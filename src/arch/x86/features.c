/*
 * Names of CPUID feature bits, as Linux prints them in /proc/cpuinfo (and for
 * KVM's own leaf, as its documentation has them).
 *
 * Source: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E; Linux
 * Documentation/virt/kvm/x86/cpuid.rst.
 */
#include "src/arch/x86/cpuid.h"

/* clang-format off */
const struct feature_word feature_words[] = {
    {1, 0, CPUID_EDX, {
        [0] = "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce",
        [8] = "cx8", "apic", NULL, "sep", "mtrr", "pge", "mca", "cmov",
        [16] = "pat", "pse36", "pn", "clflush", NULL, "dts", "acpi", "mmx",
        [24] = "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe"}},
    {1, 0, CPUID_ECX, {
        [0] = "pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est",
        [8] = "tm2", "ssse3", "cid", "sdbg", "fma", "cx16", "xtpr", "pdcm",
        [17] = "pcid", "dca", "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt",
        [24] = "tsc_deadline_timer", "aes", "xsave", NULL, "avx", "f16c", "rdrand", "hypervisor"}},
    {6, 0, CPUID_EAX, {[2] = "arat"}},
    {7, 0, CPUID_EBX, {
        [0] = "fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2", NULL, "smep",
        [8] = "bmi2", "erms", "invpcid", "rtm", "cqm", NULL, "mpx", "rdt_a",
        [16] = "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", NULL, "clflushopt",
        [24] = "clwb", "intel_pt", "avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw",
               "avx512vl"}},
    {7, 0, CPUID_ECX, {
        [1] = "avx512vbmi", "umip", "pku", "ospke", "waitpkg", "avx512_vbmi2",
        [8] = "gfni", "vaes", "vpclmulqdq", "avx512_vnni", "avx512_bitalg", "tme",
              "avx512_vpopcntdq",
        [16] = "la57", [22] = "rdpid", [24] = "bus_lock_detect", "cldemote", NULL, "movdiri",
               "movdir64b", "enqcmd", "sgx_lc"}},
    {7, 0, CPUID_EDX, {
        [2] = "avx512_4vnniw", "avx512_4fmaps", "fsrm", [8] = "avx512_vp2intersect",
        [10] = "md_clear", [14] = "serialize", [16] = "tsxldtrk", [18] = "pconfig", "arch_lbr",
        [20] = "ibt", [22] = "amx_bf16", "avx512_fp16", "amx_tile", "amx_int8", "spec_ctrl",
               "intel_stibp", "flush_l1d", "arch_capabilities", NULL, "ssbd"}},
    {7, 1, CPUID_EAX, {
        [4] = "avx_vnni", "avx512_bf16", [10] = "fzrm", "fsrs", "fsrc", [21] = "amx_fp16",
        [23] = "avx_ifma"}},
    {0xd, 1, CPUID_EAX, {[0] = "xsaveopt", "xsavec", "xgetbv1", "xsaves", "xfd"}},
    {0x40000001, 0, CPUID_EAX, {
        [0] = "kvmclock", "kvm_nopiodelay", [3] = "kvmclock2", "kvm_asyncpf", "kvm_steal_time",
              "kvm_pv_eoi", "kvm_pv_unhalt",
        [9] = "kvm_pv_tlb_flush", [11] = "kvm_pv_ipi", "kvm_poll_control", "kvm_pv_sched_yield",
              "kvm_asyncpf_int", "kvm_msi_ext_dest_id",
        [24] = "kvmclock_stable"}},
    {0x80000001, 0, CPUID_EDX, {
        [11] = "syscall", [19] = "mp", "nx", NULL, "mmxext", [25] = "fxsr_opt", "pdpe1gb",
               "rdtscp", NULL, "lm", "3dnowext", "3dnow"}},
    {0x80000001, 0, CPUID_ECX, {
        [0] = "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a",
              "misalignsse",
        [8] = "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt", NULL, "lwp",
        [16] = "fma4", "tce", NULL, "nodeid_msr", NULL, "tbm", "topoext", "perfctr_core",
        [24] = "perfctr_nb", [26] = "bpext", "ptsc", "perfctr_llc", "mwaitx"}},
    {0x80000007, 0, CPUID_EDX, {[8] = "nonstop_tsc"}},
    {0x80000008, 0, CPUID_EBX, {
        [0] = "clzero", "irperf", "xsaveerptr", NULL, "rdpru", [9] = "wbnoinvd", [12] = "ibpb",
        [14] = "ibrs", "stibp", [17] = "stibp_always_on", [23] = "amd_ppin", "amd_ssbd",
               "virt_ssbd", "amd_ssb_no", "cppc"}},
    {0x8000000a, 0, CPUID_EDX, {
        [0] = "npt", "lbrv", "svm_lock", "nrip_save", "tsc_scale", "vmcb_clean", "flushbyasid",
              "decodeassists",
        [10] = "pausefilter", [12] = "pfthreshold", "avic", [15] = "v_vmsave_vmload", "vgif"}},
    {0x8000001f, 0, CPUID_EAX, {[0] = "sme", "sev", [3] = "sev_es"}},
};
/* clang-format on */
const size_t feature_word_count = sizeof(feature_words) / sizeof(feature_words[0]);
