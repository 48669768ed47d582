// Targets as data: what a device of a class can do, what its instructions cost and what its schedules look like. Never a number in the code that uses them.
/** What one statement costs a device, by the kind of instruction. */
export type Cost =
  | "none"
  | "load"
  | "load4"
  | "workgroup"
  | "broadcast"
  | "alu"
  | "divide"
  | "function"
  | "random"
  | "select"
  | "compare"
  | "integer"
  | "reduce";

/** What the price of a schedule on a GPU knows of it (schedule/gpu.ts). Times are cycles of its clock. */
export interface Gpu {
  readonly ghz: number;
  readonly simds: number; // of a core; each issues an instruction of one of its SIMD groups a cycle
  readonly inStep: number; // of a workgroup with barriers so many groups issue in turn and then wait together
  readonly groups: number; // SIMD groups that one of them holds at most ...
  readonly registerFile: number; // ... in so many registers a lane, ...
  readonly registerGrain: number; // ... given in multiples of this ...
  readonly workgroups: number; // ... and of so many workgroups of a core, ...
  readonly workgroupMemory: number; // ... in so many of its bytes
  readonly baseRegisters: number; // that any kernel takes
  readonly freeSums: number; // so many sums stay where they are; of more, most are copied in loops
  readonly stagedRegisters: number; // of what is read from workgroup memory ahead of its use, and of addresses
  readonly latency: number; // until a load from memory is there
  readonly workgroupLatency: number; // ... from workgroup memory
  readonly barrier: number;
  readonly dependent: number; // until a sum may be added to again
  readonly line: number; // bytes of the first cache's lines
  readonly access: number; // of the first cache for any load
  readonly cacheBytes: number; // of the first cache a cycle
  readonly sharedBytes: number; // of the cache behind it a cycle, for one core
  readonly allShared: number; // ... for all cores together
  readonly memoryBytes: number; // of memory a cycle, for all cores
  readonly banks: number; // of workgroup memory, of 4 bytes each
  readonly start: number; // of a workgroup
  readonly prologue: number; // instructions before the first load
  readonly loop: number; // of a round of a loop
  readonly address: number; // of a load or store
  readonly guard: number; // of a load that may lie outside
  readonly fill: number; // of an element that is brought into workgroup memory
  readonly issue: Readonly<Record<Cost, number>>; // cycles of a SIMD
}
export interface Target {
  readonly name: string;
  readonly class: "software" | "gpu";
  readonly apart?: true; // no launch does whole steps: for who looks at what each kernel writes
  readonly storageBuffers: number; // per stage
  readonly binding: number; // bytes of one
  readonly simd: number; // invocations that run in step
  readonly lanes: number; // of a subgroup; 0 = schedules may not rely on subgroups
  readonly cores: number;
  readonly resident: number; // SIMD groups that a core runs at a time ...
  readonly latency: number; // ... each so many times slower than the core's share of it
  readonly workgroup: number; // invocations of a workgroup that shares nothing
  readonly together: readonly number[]; // invocations of one that does kernel after kernel, with barriers between them
  readonly workgroupMemory: number; // bytes
  readonly inTurn: number; // ... of them that kernels of one launch have in turn, for what their invocations exchange
  readonly registers: number; // of one invocation
  readonly bodyLimit: number; // operations of an innermost loop body
  readonly accumulatorLimit: number;
  readonly keepLoops: boolean; // the driver unrolls short loops, at great cost
  readonly unsigned: boolean; // positions that are never negative are u32: divisions of signed ones cost more
  readonly rolledStores: boolean; // many store statements cost the driver much
  readonly serial: readonly number[]; // tiles that one invocation of an elementwise kernel may compute after one another
  /** ns of one instruction of one SIMD group; spill: a step of a sum that no register holds; carried: a sum, for each round of a loop; guard: a load that may lie outside; number: one read from a uniform buffer; divideBy: an integer division by one, beyond what a known divisor costs */
  readonly ns: Readonly<
    Record<
      Cost | "store" | "store4" | "loop" | "barrier" | "fill" | "spill" | "carried" | "guard" | "number" | "divideBy",
      number
    >
  >;
  readonly overlap: number; // share of the smaller of memory and arithmetic time that is not hidden behind the larger
  readonly longBody: { readonly operations: number; readonly ns: number }; // ... for every operation of a body beyond
  readonly manyLoads: { readonly loads: number; readonly ns: number }; // ... for every value a body loads beyond
  readonly clashNs: number; // an access whose cache lines drive one another out
  readonly nearWaitNs: number; // for the next step of a loop through memory, and
  readonly waitNs: number; // for memory that no prefetcher has fetched
  readonly besideBarriers: number; // how much slower code is in a kernel with barriers: some drivers keep its variables in memory there
  readonly workgroupNs: number;
  readonly launchNs: number;
  /** ms of the driver at the first use; module: of any; carried: a sum, through every loop but the innermost */
  readonly compile: {
    readonly module: number;
    readonly load: number;
    readonly store: number;
    readonly operation: number;
    readonly function: number;
    readonly carried: number;
    readonly limit: number;
  };
  readonly wideBytes: number; // of one tensor: a softmax whose scores take no more keeps them in memory
  readonly gpu?: Gpu;
  readonly runs: number; // how often a kernel is expected to run: what its compilation may cost
}
// Fitted on a Zen 4 with two cores to 452 schedules of 26 products, convolutions and attention kernels: load, load4, broadcast, alu, spill, the two
// stores, overlap, manyLoads, clashNs, waitNs, and `compile` but for `function` (its limit keeps those kernels well under half a second). The other
// costs were measured on a Zen 3 and are scaled by the ratio of the machines, about 0.7; `number` and `divideBy` are as measured there.
const lavapipe: Target = {
  name: "lavapipe",
  class: "software",
  storageBuffers: 8,
  binding: 2 ** 27, // what every device has
  simd: 8,
  lanes: 8,
  cores: 2,
  resident: 1,
  latency: 1,
  workgroup: 64,
  together: [8],
  workgroupMemory: 16384,
  inTurn: 0,
  registers: 12,
  bodyLimit: 1100,
  accumulatorLimit: 160,
  keepLoops: true,
  unsigned: false,
  rolledStores: true,
  serial: [1, 4],
  ns: {
    none: 0,
    load: 5.6,
    load4: 15,
    workgroup: 4.6,
    broadcast: 0.7,
    alu: 0.1,
    divide: 1.4,
    function: 5.6,
    random: 70,
    select: 0.4,
    compare: 0.3,
    integer: 0.2,
    reduce: 5,
    store: 9.6,
    store4: 39,
    loop: 0.85,
    barrier: 350,
    fill: 14,
    spill: 0.25,
    carried: 0,
    guard: 2,
    number: 4,
    divideBy: 30,
  },
  overlap: 0.35,
  longBody: { operations: 600, ns: 0.42 },
  manyLoads: { loads: 12, ns: 1.5 },
  clashNs: 7.5,
  nearWaitNs: 7,
  waitNs: 85,
  besideBarriers: 1.5,
  workgroupNs: 175,
  launchNs: 25_000,
  compile: { module: 18, load: 5.6, store: 4.9, operation: 0.37, function: 1, carried: 0.2, limit: 340 },
  wideBytes: 16e6,
  runs: 1000,
};
const swiftshader: Target = {
  ...lavapipe,
  name: "swiftshader",
  simd: 4,
  lanes: 4,
  workgroup: 256,
  together: [4],
  registers: 14,
  keepLoops: false,
  serial: [1],
  ns: {
    none: 0,
    load: 10,
    load4: 30,
    workgroup: 7,
    broadcast: 3.1,
    alu: 0.4,
    divide: 3,
    function: 12,
    random: 100,
    select: 1,
    compare: 1,
    integer: 0.8,
    reduce: 3,
    store: 10,
    store4: 30,
    loop: 4,
    barrier: 1000,
    fill: 25,
    spill: 0.3,
    carried: 0.65,
    guard: 0,
    number: 6,
    divideBy: 0,
  },
  overlap: 1,
  longBody: { operations: 1e9, ns: 0 },
  manyLoads: { loads: 1e9, ns: 0 },
  clashNs: 12,
  nearWaitNs: 10,
  waitNs: 160,
  besideBarriers: 1.1,
  workgroupNs: 600,
  launchNs: 28_000,
  compile: { module: 2, load: 0.6, store: 1.2, operation: 0.5, function: 1, carried: 0, limit: 450 },
};
// RDNA 2: instructions, register and workgroup memory by AMD's ISA and by Mesa's compiler (bench/calibrate.mjs), latencies and bandwidths of the caches as
// chipsandcheese.com measured them (19.5 ns to workgroup memory, about 110 ns to the second cache, 250 ns to memory); inStep: groups of 64, as Mesa's driver
// makes them of workgroups of 64 and more, and NVIDIA's cores with four SIMDs come to the same. allShared: about what
// bench/lab/roofline.mjs has of such a card.
const rdna: Gpu = {
  ghz: 2.25,
  simds: 2,
  inStep: 2,
  groups: 16,
  registerFile: 1024,
  registerGrain: 8,
  workgroups: 16,
  workgroupMemory: 65536,
  baseRegisters: 4,
  freeSums: 32,
  stagedRegisters: 24,
  latency: 450,
  workgroupLatency: 44,
  barrier: 30,
  dependent: 5,
  line: 128,
  access: 2,
  cacheBytes: 64,
  sharedBytes: 24,
  allShared: 1100,
  memoryBytes: 228,
  banks: 32,
  start: 40,
  prologue: 24,
  loop: 3,
  address: 1,
  guard: 3,
  fill: 12,
  issue: {
    none: 0,
    load: 1,
    load4: 1,
    workgroup: 1,
    broadcast: 1,
    alu: 1,
    divide: 10,
    function: 8,
    random: 90,
    select: 1,
    compare: 1,
    integer: 1,
    reduce: 8,
  },
};
// A graphics card of the middle: 80 cores of two 32-wide SIMDs, as AMD's Navi 21 (RX 6800 XT: 72, 6900 XT: 80; 512 GB/s, 20 TFLOP/s: 0.025 bytes a flop)
// has them; NVIDIA's cards of 2021 to 2024 have 20 to 128 cores of four such SIMDs (RTX 3060: 28, 360 GB/s, 13 TFLOP/s). Workgroup memory is what
// WebGPU grants everywhere, launches are what browsers need between two that depend on one another.
const discrete: Target = {
  ...lavapipe,
  name: "discrete",
  class: "gpu",
  simd: 32,
  lanes: 0,
  cores: 80,
  resident: 8,
  latency: 1,
  workgroup: 64,
  together: [64, 128, 256],
  inTurn: 6144,
  registers: 128,
  bodyLimit: 600,
  accumulatorLimit: 64,
  keepLoops: false,
  unsigned: true,
  rolledStores: false,
  serial: [1],
  ns: {
    none: 0,
    load: 16,
    load4: 24,
    workgroup: 4,
    broadcast: 1,
    alu: 0.5,
    divide: 4,
    function: 4,
    random: 60,
    select: 0.5,
    compare: 0.5,
    integer: 0.5,
    reduce: 10,
    store: 8,
    store4: 10,
    loop: 2,
    barrier: 30,
    fill: 10,
    spill: 2,
    carried: 0,
    guard: 3,
    number: 2,
    divideBy: 20,
  },
  overlap: 0.5,
  longBody: { operations: 1e9, ns: 0 },
  manyLoads: { loads: 64, ns: 2 },
  clashNs: 0,
  nearWaitNs: 4,
  waitNs: 20,
  besideBarriers: 1,
  workgroupNs: 500,
  launchNs: 4_000,
  compile: { module: 1, load: 0.1, store: 0.1, operation: 0.05, function: 0.1, carried: 0, limit: 1000 },
  gpu: rdna,
  runs: 10_000,
};
// The GPU beside a CPU, on its memory: 8 cores as AMD's Van Gogh (8 of two 32-wide SIMDs, 1.6 GHz, 88 GB/s, 1.6 TFLOP/s: 0.054 bytes a flop), Apple's M1 and
// M2 (7 to 10 of four, 1.3 GHz, 68 to 100 GB/s, 2.6 to 3.6 TFLOP/s: 0.027; up to 128 registers an invocation, 32 KB of workgroup memory) and Intel's
// Iris Xe (6 of sixteen 8-wide ones, 51 to 68 GB/s, 2 TFLOP/s: 0.03) have them. Apple's needs no row of its own: what a schedule is chosen by (lanes,
// registers, cores to fill, bytes a flop) differs less from these than these do among themselves.
const integrated: Target = {
  ...discrete,
  name: "integrated",
  cores: 8,
  gpu: { ...rdna, ghz: 1.5, latency: 400, sharedBytes: 48, allShared: 260, memoryBytes: 55 },
};
/** `software` is for any software device: without subgroups, whose width differs; barriers cost what they cost the embedded one. */
export const targets: Readonly<Record<string, Target>> = {
  software: { ...lavapipe, name: "software", lanes: 0, besideBarriers: 1.1 },
  discrete,
  integrated,
  lavapipe,
  swiftshader,
};
