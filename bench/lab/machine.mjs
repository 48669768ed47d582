// What a GPU's compiler made of a kernel: its machine code (Mesa's ACO, as the lab tool keeps it) as a tree of loops, which of the text's loops they are,
// and what a wave runs. In: the listing, the walk of the text (walk.mjs).   Out: counts over a whole wave, loops with their rounds, or why nobody knows.

const kinds = [
  ["fma", /^v_(pk_|dual_)?(fma|fmac|mac|mad)\w*_f(16|32)/],
  ["slow", /^v_(exp|log|rcp|rsq|sqrt|sin|cos)_f32|^v_mul_(lo|hi)_/], // a quarter of the rate
  ["valu", /^v_/],
  ["load", /^(buffer|global|flat)_load/],
  ["store", /^(buffer|global|flat)_(store|atomic)/],
  ["descriptor", /^s_load/], // where a buffer lies
  ["scalarLoad", /^s_buffer_load/],
  ["ldsRead", /^ds_(read|load|bpermute|swizzle)/],
  ["ldsWrite", /^ds_/],
  ["barrier", /^s_barrier/],
  ["wait", /^s_waitcnt/],
  ["free", /^s_(nop|clause|inst_prefetch|delay_alu|endpgm|sendmsg|code_end)/],
  ["salu", /^s_/],
];
const widths = [
  [/dwordx16/, 64],
  [/dwordx8|b256/, 32],
  [/dwordx4|b128/, 16],
  [/dwordx3|b96/, 12],
  [/dwordx2|b64/, 8],
  [/ubyte|sbyte|byte|[ui]8/, 1],
  [/ushort|short|[ui]16/, 2],
];
function instruction(line) {
  const kind = kinds.find(([, pattern]) => pattern.test(line))?.[0];
  if (!kind) return undefined;
  const name = line.split(/\s/)[0];
  const width = widths.find(([pattern]) => pattern.test(name))?.[1] ?? 4;
  const bytes = ["load", "store", "scalarLoad", "ldsRead", "ldsWrite"].includes(kind)
    ? width * (/^ds_(read|write|load|store)(_)?2/.test(name) ? 2 : 1)
    : 0;
  const counter = (c) => {
    const found = new RegExp(`${c}\\((\\d+)\\)`).exec(line);
    return found ? Number(found[1]) : undefined;
  };
  return {
    kind,
    bytes,
    ...(kind === "wait" ? { memory: counter("vmcnt"), local: counter("lgkmcnt") } : {}),
    ...(/^v_dual_fmac.*v_dual_fmac/.test(line) ? { twice: true } : {}),
    branch: /^s_c?branch\w*\s+(BB\d+)/.exec(line)?.[1],
    scc: /^s_cbranch_scc([01])/.exec(line)?.[1],
    compare: /^s_cmpk?_(\w+?)_?[iu]?(?:32|64)\s+(s\d+), (?:0x)?[\da-f]+$/.exec(line)?.slice(1),
    counts: /^s_addk?_[iu]32\s+(s\d+), (?:\1, )?(?:0x)?-?[\da-f]+$/.exec(line)?.[1],
  };
}

/** The listing as a tree: { items: instructions, loops and what a loop does in one of its rounds alone, in order }. */
export function treeOf(listing) {
  const code = [];
  const labels = new Map();
  for (const raw of listing.split("\n")) {
    const line = raw.replace(/\s*;.*$/, "").trim();
    const label = /^(BB\d+):/.exec(line)?.[1];
    if (label) labels.set(label, code.length);
    const found = label ? undefined : instruction(line);
    if (found) code.push(found);
  }
  const ends = new Map();
  code.forEach((c, i) => {
    const start = c.branch === undefined ? undefined : labels.get(c.branch);
    if (start !== undefined && start <= i) ends.set(start, Math.max(ends.get(start) ?? 0, i));
  });
  /** Where a branch leads that skips what follows but in the round in which the loop's counter has one value. */
  const skipped = (i, { from, to }) => {
    const end = labels.get(code[i].branch);
    if (code[i].scc === undefined || end === undefined || end <= i || end > to) return undefined;
    const before = code.slice(from, i).findLast((c) => c.compare);
    const [how, register] = before?.compare ?? [];
    if (how !== (code[i].scc === "0" ? "eq" : "lg")) return undefined;
    return code.slice(from, to).some((c) => c.counts === register) ? end : undefined;
  };
  const build = (from, to, skip, loop) => {
    const items = [];
    for (let i = from; i <= to; i++) {
      if (ends.has(i) && i !== skip && ends.get(i) <= to) {
        items.push({ loop: true, ...build(i, ends.get(i), i, { from: i, to: ends.get(i) }) });
        i = ends.get(i);
        continue;
      }
      items.push(code[i]);
      const end = loop && skipped(i, loop);
      if (end === undefined || code.slice(i + 1, end).some((_, k) => ends.has(i + 1 + k))) continue;
      items.push({ once: true, ...build(i + 1, end - 1, skip) });
      i = end - 1;
    }
    return { items };
  };
  return build(0, code.length - 1, -1);
}
const loopsOf = (node) => node.items.filter((x) => x.loop);
const ownOf = (node) => node.items.filter((x) => !x.loop && !x.once);
const onceOf = (node) => node.items.filter((x) => x.once);
const allLoops = (node) => loopsOf(node).flatMap((l) => [l, ...allLoops(l)]);

/** A loop that clears workgroup memory before anything else, which WGSL asks for: no loop of the text. */
const clears = (l) => {
  const own = ownOf(l);
  return (
    !loopsOf(l).length &&
    own.length < 16 &&
    own.filter((x) => x.kind === "ldsWrite").length === 1 &&
    !own.some((x) => ["load", "fma", "ldsRead"].includes(x.kind))
  );
};

// ---- which loops of the text the loops of the machine code are: the others were unrolled

const categories = { load: ["load", "scalarLoad"], store: ["store"], ldsRead: ["ldsRead"], ldsWrite: ["ldsWrite"] };
const bytesIn = (items, kindsOf) => items.reduce((n, x) => n + (kindsOf.includes(x.kind) ? x.bytes : 0), 0);

/**
 * Compilers keep loops in order and within one another, and unroll some: then the loops inside are there once for each round. Of all ways to read the
 * machine code so, the one whose loads and stores come nearest to what a lane moves by the walk.
 */
export function match(tree, walk, ldsBytes) {
  const roots = loopsOf(tree);
  const first = roots[0];
  if (first && walk.hasWorkgroupMemory && clears(first)) {
    const width = ownOf(first).find((x) => x.kind === "ldsWrite").bytes;
    first.rounds = Math.max(1, Math.ceil((ldsBytes || walk.workgroupBytes) / (width * walk.lanes)));
    first.clears = true;
    roots.shift();
  }
  const text = walk.loops.map((l, number) => ({
    ...l,
    number,
    perEntry: l.entries ? l.rounds / l.entries : 0,
    entered: l.entries / (l.parent < 0 ? walk.waves : Math.max(1, walk.loops[l.parent].rounds)), // for each round of the loop around it
  }));
  const childrenOf = (number) => text.filter((l) => l.parent === number && l.entries > 0);
  const want = { load: 0, store: 0, ldsRead: 0, ldsWrite: 0 };
  for (const s of walk.sites) {
    const key = s.space === "workgroup" ? (s.kind === "load" ? "ldsRead" : "ldsWrite") : s.kind;
    want[key] += (s.times * s.bytes) / walk.waves;
  }
  /** With all that is in it. */
  const vanishes = (loop, outer = 1) => {
    const rounds = outer * Math.ceil(loop.perEntry);
    return loop.perEntry <= 256 && rounds <= 4096 && childrenOf(loop.number).every((l) => vanishes(l, rounds));
  };
  let steps = 0;
  const mostSteps = 300_000;
  function* readings(texts, machines) {
    if (++steps > mostSteps) return;
    if (!texts.length) {
      if (!machines.length) yield [];
      return;
    }
    if (!machines.length) {
      if (texts.every(({ loop }) => vanishes(loop))) yield [];
      return;
    }
    const [{ loop, share }, ...rest] = texts;
    const entered = share * loop.entered;
    const kept = function* () {
      const [m, ...others] = machines;
      const children = childrenOf(loop.number).map((l) => ({ loop: l, share: 1 }));
      for (const inner of readings(children, loopsOf(m)))
        for (const after of readings(rest, others))
          yield [{ m, loop, rounds: entered * loop.perEntry }, ...inner, ...after];
    };
    const unrolled = function* () {
      if (vanishes(loop)) yield* readings(rest, machines);
      // with loops inside that are left, so often one after the other
      const rounds = Math.ceil(loop.perEntry);
      const inner = childrenOf(loop.number).map((l) => ({ loop: l, share: entered }));
      if (!inner.length || rounds > machines.length) return;
      yield* readings([...Array.from({ length: rounds }, () => inner).flat(), ...rest], machines);
    };
    const order = loop.perEntry <= 4 ? [unrolled, kept] : [kept, unrolled];
    for (const way of order) yield* way();
  }
  let best;
  let found = 0;
  for (const reading of readings(
    childrenOf(-1).map((l) => ({ loop: l, share: 1 })),
    roots,
  )) {
    for (const { m, rounds } of reading) m.rounds = rounds;
    const have = { load: 0, store: 0, ldsRead: 0, ldsWrite: 0 };
    const add = (node, times) => {
      for (const [key, kindsOf] of Object.entries(categories)) have[key] += times * bytesIn(ownOf(node), kindsOf);
      for (const part of onceOf(node)) add(part, times / node.rounds);
      for (const l of loopsOf(node)) if (!l.clears) add(l, times * l.rounds);
    };
    add(tree, 1);
    const error = Object.keys(want).reduce((n, key) => n + Math.abs(Math.log((have[key] + 16) / (want[key] + 16))), 0);
    if (!best || error < best.error) best = { error, reading };
    if (++found > 500) break;
  }
  if (!best)
    return `${allLoops(tree).filter((l) => !l.clears).length} loops in the machine code, ${text.filter((l) => l.entries).length} in the text, of another order`;
  for (const { m, rounds } of best.reading) m.rounds = rounds;
  if (best.reading.some(({ loop }) => loop.data)) return "a loop goes round as often as data say";
  return { error: best.error };
}

// ---- what a wave runs

const empty = () => ({
  instructions: 0,
  fma: 0,
  valu: 0,
  slow: 0,
  salu: 0,
  loads: 0,
  loadBytes: 0,
  stores: 0,
  scalarLoads: 0,
  ldsReads: 0,
  ldsWrites: 0,
  ldsBytes: 0,
  barriers: 0,
  waits: 0,
  underWay: 0,
});
export function countsOf(items) {
  const n = empty();
  for (const x of items) {
    if (x.loop || x.once || x.kind === "free") continue;
    if (x.kind !== "wait") n.instructions++;
    switch (x.kind) {
      case "fma":
        n.fma += x.twice ? 2 : 1;
        break;
      case "load":
        n.loads++;
        n.loadBytes += x.bytes;
        break;
      case "store":
        n.stores++;
        break;
      case "scalarLoad":
        n.scalarLoads++;
        break;
      case "ldsRead":
        n.ldsReads++;
        n.ldsBytes += x.bytes;
        break;
      case "ldsWrite":
        n.ldsWrites++;
        n.ldsBytes += x.bytes;
        break;
      case "descriptor":
        n.salu++;
        break;
      case "barrier":
        n.barriers++;
        break;
      case "wait":
        break;
      default:
        n[x.kind]++;
    }
  }
  return n;
}
function allCounts(node, times, total) {
  const own = countsOf(node.items);
  for (const k of Object.keys(total)) total[k] += times * own[k];
  for (const part of onceOf(node)) allCounts(part, times / node.rounds, total);
  for (const l of loopsOf(node)) allCounts(l, times * l.rounds, total);
}
export function runCounts(tree) {
  const total = empty();
  allCounts(tree, 1, total);
  for (const { waits, underWay } of waitsOf(tree).values()) {
    total.waits += waits;
    total.underWay += underWay;
  }
  return total;
}
/** Goes through what a wave runs: of a loop the first three rounds, the last of them for all that follow, and the very last. */
function goThrough(node, see, { weight = 1, last = false, skip = () => {}, owner = node } = {}) {
  for (const x of node.items) {
    if (x.once) {
      if (last) goThrough(x, see, { weight, last, owner });
    } else if (!x.loop) see(x, weight, owner);
    else {
      const rounds = Math.round(x.rounds);
      const gone = Math.max(0, Math.min(rounds - 1, 3));
      const left = rounds - 1 - gone;
      for (let k = 0; k < gone; k++) {
        const more = k === gone - 1 ? left : 0;
        const end = skip(more);
        goThrough(x, see, { weight: weight * (1 + more), skip });
        end?.();
      }
      if (rounds > 0) goThrough(x, see, { weight, last: true, skip });
    }
  }
}
/**
 * How often a wave waits for memory in all, and for how many loads, by the loop that sent the last of them: whoever waits for the first of several loads
 * has waited for the others, too, that were on their way then.
 */
function waitsOf(tree) {
  const found = new Map();
  const sent = []; // the loop of each load
  let done = 0; // loads that were waited for
  let known = 0; // ... and those that were on their way at the last wait
  goThrough(tree, (x, weight, node) => {
    if (x.kind === "load") sent.push(node);
    if (x.kind !== "wait" || x.memory === undefined) return;
    const to = sent.length - x.memory;
    if (to <= done) return;
    if (to > known) {
      const whose = sent[to - 1];
      const own = found.get(whose) ?? { waits: 0, underWay: 0 };
      own.waits += weight;
      own.underWay += weight * (sent.length - done);
      found.set(whose, own);
      known = sent.length;
    }
    done = to;
  });
  return found;
}

/** Every loop, with how often a wave goes round it in all, and how many loads from memory are under way at a wait. */
export function loopTable(node, times = 1, depth = 0, waits = waitsOf(node)) {
  return loopsOf(node).flatMap((l) => {
    const own = countsOf([...ownOf(l), ...onceOf(l).flatMap(ownOf)]);
    const all = times * (l.rounds ?? NaN);
    const waited = waits.get(l);
    return [
      {
        ...own,
        depth,
        rounds: l.rounds,
        times: all,
        clears: l.clears ?? false,
        waits: waited ? waited.waits / all : 0,
        inFlight: waited ? waited.underWay / waited.waits : own.loads,
      },
      ...loopTable(l, all, depth + 1, waits),
    ];
  });
}

/**
 * Cycles from the start of a wave to its end when nothing else runs: instructions one after the other, and at each wait the time until what it waits for is
 * there. Of a loop the first rounds are gone through, the others last as long as the last of them.
 */
export function durationOf(tree, { memory, scalar, local, issue }) {
  const state = { now: 0, loads: [], locals: [] };
  const settle = (list, left) => {
    while (list.length > left) state.now = Math.max(state.now, list.shift());
  };
  const see = (x) => {
    switch (x.kind) {
      case "free":
        break;
      case "wait":
        if (x.memory !== undefined) settle(state.loads, x.memory);
        if (x.local !== undefined) settle(state.locals, x.local);
        break;
      case "load":
        state.now += 1;
        state.loads.push(state.now + memory);
        break;
      case "descriptor":
      case "scalarLoad":
        state.now += 1;
        state.locals.push(state.now + scalar);
        break;
      case "ldsRead":
      case "ldsWrite":
        state.now += 1;
        state.locals.push(state.now + local);
        break;
      case "slow":
        state.now += 4 * issue;
        break;
      case "fma":
      case "valu":
        state.now += issue;
        break;
      default:
        state.now += 1;
    }
  };
  const skip = (rounds) => {
    const before = state.now;
    return () => (state.now += rounds * (state.now - before));
  };
  goThrough(tree, see, { skip });
  return state.now;
}
