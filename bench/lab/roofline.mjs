// An estimate of time from counts: what a launch cannot be faster than, by four limits, on a device of a class. In: what a wave runs (machine.mjs), what
// the workgroups touch (walk.mjs), the statistics of the driver.   Out: ns of each limit; the launch takes the largest. No figure here is a measurement.
//
//   issue    instructions of the vector unit, of all waves, one for each SIMD and cycle (of a wave of 64 in two cycles on a SIMD of 32 lanes, in four on
//            one of 16), roots, exponentials and integer products at a quarter of the rate; scalar instructions, branches and waits run beside them.
//            The same of the unit of workgroup memory (128 bytes a cycle and core, bank conflicts counted) and of the one that fetches lines (one of
//            128 bytes a cycle and core).
//   memory   bytes that come from memory once, at the bandwidth of the smallest level that holds what the whole step touches; and what workgroups
//            fetch again because 16 KB next to their core do not hold it, at the bandwidth of the second level.
//   latency  a wave alone, instruction after instruction with every wait in full; as many waves at a time as registers and workgroup memory let a SIMD
//            hold, so often as it takes to get through all of them. A device that is not filled is slow by this.
//   launch   what lies between two dispatches of one pass, and between two submits. Drivers and browsers differ here more than anywhere else.
//
// A kernel's branches count as taken, clocks as the makers' boost clocks, and neither tails of waves nor TLB misses are known. So absolute times are
// optimistic, alike for all sides; ratios are what the table is for.

/** Cores, clocks, bandwidths: AMD's product pages and its RDNA and GCN architecture papers. `memory`, `local`, `scalar`: cycles of latency, rounded from published microbenchmarks. */
export const gpus = {
  navi21: {
    title: "discrete, RDNA 2 (Radeon RX 6900 XT)",
    target: "discrete",
    cores: 80,
    simdsPerCore: 2,
    simd: 32,
    ghz: 2.25,
    waves: 16,
    levels: [
      { bytes: 4e6, gbs: 2300 },
      { bytes: 128e6, gbs: 1900 },
      { bytes: Infinity, gbs: 512 },
    ],
    latency: { memory: 400, scalar: 150, local: 64 },
    launchNs: 4000,
    submitNs: 10_000,
  },
  navi31: {
    title: "discrete, RDNA 3 (Radeon RX 7900 XTX)",
    target: "discrete",
    cores: 96,
    simdsPerCore: 2,
    simd: 32,
    ghz: 2.5,
    waves: 16,
    levels: [
      { bytes: 6e6, gbs: 3800 },
      { bytes: 96e6, gbs: 3500 },
      { bytes: Infinity, gbs: 960 },
    ],
    latency: { memory: 400, scalar: 150, local: 64 },
    launchNs: 4000,
    submitNs: 10_000,
  },
  vangogh: {
    title: "integrated, RDNA 2 (Steam Deck)",
    target: "integrated",
    cores: 8,
    simdsPerCore: 2,
    simd: 32,
    ghz: 1.6,
    waves: 16,
    levels: [
      { bytes: 1e6, gbs: 400 },
      { bytes: Infinity, gbs: 88 },
    ],
    latency: { memory: 400, scalar: 150, local: 64 },
    launchNs: 4000,
    submitNs: 10_000,
  },
  polaris10: {
    title: "discrete, GCN 4 (Radeon RX 480)",
    target: "discrete",
    cores: 36,
    simdsPerCore: 4,
    simd: 16,
    ghz: 1.266,
    waves: 10,
    levels: [
      { bytes: 2e6, gbs: 1000 },
      { bytes: Infinity, gbs: 256 },
    ],
    latency: { memory: 500, scalar: 200, local: 64 },
    launchNs: 4000,
    submitNs: 10_000,
  },
};

/** `footprint`: bytes that the whole step binds; `resident`: waves that the driver says a SIMD holds. */
export function estimate(gpu, { wave, waves, bytes, sites }, { counts, duration }, resident, footprint) {
  const perSimd = wave / gpu.simd; // cycles of one vector instruction
  const simds = gpu.cores * gpu.simdsPerCore;
  const vector = counts.fma + counts.valu + 4 * counts.slow;
  const lines = sites.reduce((n, s) => n + s.lines, 0);
  const turns = sites.reduce((n, s) => n + s.turns, 0);
  const cycles = Math.max(
    (waves * vector * perSimd) / Math.min(simds, waves),
    Math.max(lines, turns) / Math.min(gpu.cores, Math.ceil(waves / gpu.simdsPerCore)),
  );
  const level = gpu.levels.find((l) => footprint <= l.bytes);
  const held = Math.max(1, Math.min(resident || 1, gpu.waves));
  return {
    issue: cycles / gpu.ghz,
    memory: Math.max(bytes.memory / level.gbs, bytes.cache / gpu.levels[0].gbs),
    latency: (Math.ceil(waves / (simds * held)) * duration) / gpu.ghz,
  };
}
export const issueCycles = (gpu, wave) => wave / gpu.simd;
