// Walks a kernel as a GPU would, some of its workgroups: all invocations of a workgroup in step, lanes that a branch leaves out masked. What is counted
// is known from the text and the sizes alone: how often loops run, and what memory the lanes of a wave touch together. The text becomes a JavaScript
// function whose variables are arrays over the lanes; functions that touch memory or loop are written out where they are called.
// In: WGSL, the entry point, the dispatch (recorder.mjs).   Out: loops in order of text, accesses, or an error why nobody knows.
import { generate } from "./lanes.mjs";
import { parse, sizeOf } from "./wgsl.mjs";

const segmentBytes = 64; // what memory moves at least
const lineBytes = 128; // what one access of a wave may touch in one go
const cacheBytes = 16 * 1024; // next to a core: what a workgroup reads again while it is still there
const mostWork = 3e8; // statements of lanes, of all samples of a dispatch

/** Data that kernels compute are not known: reads give numbers of a fixed sequence. */
const unknownValue = (address) => Math.imul(address ^ (address >>> 9), 0x9e3779b1) >>> 0;

class Memory {
  constructor(dispatch, wave, lanes) {
    Object.assign(this, { dispatch, wave, lanes, work: 0 });
    this.bindings = dispatch.bindings.map((b) => ({ ...b, words: undefined }));
    for (const b of this.bindings)
      if (b.content) {
        const copy = new Uint8Array(Math.ceil(b.content.length / 4) * 4);
        copy.set(b.content);
        b.words = {
          f32: new Float32Array(copy.buffer),
          i32: new Int32Array(copy.buffer),
          u32: new Uint32Array(copy.buffer),
        };
      }
    this.touched = this.bindings.map(() => ({ read: new Set(), written: new Set() }));
    this.cache = new Map();
    this.traffic = { read: 0, written: 0 };
    this.counts = new Uint8Array(32);
    this.words = new Float64Array(32 * 64);
    this.segments = new Float64Array(64);
    this.loops = [];
    this.sites = [];
  }
  binding(group, number) {
    const found = this.bindings.findIndex((b) => b.group === group && b.binding === number);
    if (found < 0) throw new Error(`nothing is bound at ${group}.${number}`);
    return found;
  }
  beginWorkgroup() {
    this.cache.clear();
    for (const t of this.touched) {
      t.read.clear();
      t.written.clear();
    }
  }
  spend(amount) {
    if ((this.work += amount) > mostWork) throw new Error("too long to walk");
  }
  value(index, type, word) {
    const { words } = this.bindings[index];
    if (words) return words[type === "bool" ? "u32" : type][Math.min(word, words.u32.length - 1)] ?? 0;
    const any = unknownValue(word + index * 7919);
    return type === "f32" ? any / 4294967296 : any % 61;
  }
  /** One load or store of all lanes: byte addresses, -1 where a lane has none. */
  access(site, addresses) {
    const { kind, space, bytes } = site;
    const { wave } = this;
    for (let from = 0; from < addresses.length; from += wave) {
      const to = Math.min(addresses.length, from + wave);
      let active = 0;
      if (space === "workgroup") {
        // 32 banks of 4 bytes; the same word is one access. Wide ones go in as many turns as they have words.
        this.counts.fill(0);
        let most = 1;
        for (let l = from; l < to; l++) {
          const a = addresses[l];
          if (a < 0) continue;
          active++;
          const bank = (a >> 2) & 31;
          const n = this.counts[bank];
          let k = 0;
          while (k < n && this.words[bank * 64 + k] !== a) k++;
          if (k < n) continue;
          this.words[bank * 64 + n] = a;
          this.counts[bank] = n + 1;
          if (n + 1 > most) most = n + 1;
        }
        if (!active) continue;
        const words = Math.max(1, bytes / 4);
        const least = Math.ceil((active * words) / 32);
        site.turns += Math.max(least, most);
        site.least += least;
      } else {
        const { segments } = this;
        let count = 0;
        for (let l = from; l < to; l++) {
          const a = addresses[l];
          if (a < 0) continue;
          active++;
          const s = Math.floor(a / segmentBytes);
          let k = count - 1; // neighbours touch the same, mostly
          while (k >= 0 && segments[k] !== s) k--;
          if (k < 0) segments[count++] = s;
        }
        if (!active) continue;
        let lines = 0;
        let line = -1;
        const { read, written } = this.touched[site.index];
        for (let k = 0; k < count; k++) {
          const s = segments[k];
          const of = Math.floor((s * segmentBytes) / lineBytes);
          if (of !== line) lines++;
          line = of;
          if (kind === "load") {
            read.add(s);
            const key = s + site.index * 2 ** 34;
            if (this.cache.delete(key)) this.cache.set(key, true);
            else {
              this.traffic.read += segmentBytes;
              this.cache.set(key, true);
              if (this.cache.size > cacheBytes / segmentBytes) this.cache.delete(this.cache.keys().next().value);
            }
          } else {
            written.add(s);
            this.traffic.written += segmentBytes;
          }
        }
        site.lines += lines;
        site.segments += count;
      }
      site.times++;
      site.active += active;
    }
  }
}

/**
 * Which workgroups stand for all: the first, the last, one between them; with how many each counts. Where a launch does several kernels, by the numbers of
 * its workgroups from `begins` on, these of each.
 */
function samplesOf([x, y, z], begins) {
  const total = x * y * z;
  const place = (i) => [i % x, Math.floor(i / x) % y, Math.floor(i / (x * y))];
  const ends = [...begins.filter((n) => n > 0 && n < total), total];
  return ends.flatMap((end, k) => {
    const first = ends[k - 1] ?? 0;
    const count = end - first;
    if (count <= 2) return Array.from({ length: count }, (_, i) => ({ place: place(first + i), weight: 1 }));
    const middle = first + Math.min(count - 2, Math.floor(count / 2) + (x > 4 ? 1 : 0));
    return [
      { place: place(first), weight: 1 },
      { place: place(middle), weight: count - 2 },
      { place: place(end - 1), weight: 1 },
    ];
  });
}
/** As dlm's launches of kernels beside one another say it. */
const beginsIn = (code) =>
  [...new Set([...code.matchAll(/\bif \(part >= (\d+)/g)].map(([, n]) => Number(n)))].sort((a, b) => a - b);

export function walk({ code, entry, constants = {}, workgroups, bindings }) {
  const module = parse(code, constants);
  const main = entry ? module.functions.get(entry) : [...module.functions.values()].find((f) => f.workgroupSize);
  const size = [0, 1, 2].map((i) => main.workgroupSize[i] ?? 1);
  const lanes = size[0] * size[1] * size[2];
  const wave = lanes <= 32 ? 32 : 64; // as Mesa's driver has it
  const memory = new Memory({ bindings }, wave, lanes);
  const program = generate(module, main, size, memory);
  const total = workgroups[0] * workgroups[1] * workgroups[2];
  const moved = memory.bindings.map(() => ({ read: 0, written: 0 }));
  const sums = { waves: 0 };
  for (const { place, weight } of samplesOf(workgroups, beginsIn(code))) {
    memory.beginWorkgroup();
    const before = snapshot(memory);
    program.run(place, workgroups);
    addDifference(sums, memory, before, weight);
    memory.touched.forEach((t, i) => {
      moved[i].read += weight * t.read.size * segmentBytes;
      moved[i].written += weight * t.written.size * segmentBytes;
    });
    sums.waves += weight * Math.ceil(lanes / wave);
  }
  // what several workgroups touch comes from memory once
  const fromMemory = memory.bindings.reduce(
    (n, b, i) => n + Math.min(moved[i].read, b.bytes) + Math.min(moved[i].written, b.bytes),
    0,
  );
  return {
    lanes,
    wave,
    workgroups: total,
    waves: sums.waves,
    hasWorkgroupMemory: [...module.globals.values()].some((g) => g.space === "workgroup"),
    workgroupBytes: [...module.globals.values()]
      .filter((g) => g.space === "workgroup")
      .reduce((n, g) => n + sizeOf(g.type), 0),
    loops: memory.loops.map((l, i) => ({ ...l, entries: sums.loops[i].entries, rounds: sums.loops[i].rounds })),
    sites: memory.sites.map((s, i) => ({ ...s, ...sums.sites[i] })),
    barriers: sums.barriers,
    bytes: { memory: fromMemory, cache: sums.traffic.read + sums.traffic.written },
  };
}

const siteKeys = ["times", "active", "lines", "segments", "turns", "least"];
const snapshot = (m) => ({
  loops: m.loops.map(({ entries, rounds }) => ({ entries, rounds })),
  sites: m.sites.map((s) => Object.fromEntries(siteKeys.map((k) => [k, s[k]]))),
  traffic: { ...m.traffic },
  barriers: m.barriers ?? 0,
});
function addDifference(sums, memory, before, weight) {
  const now = snapshot(memory);
  const add = (into, a, b, keys) => {
    for (const k of keys) into[k] = (into[k] ?? 0) + weight * (a[k] - b[k]);
    return into;
  };
  sums.loops = now.loops.map((l, i) => add(sums.loops?.[i] ?? {}, l, before.loops[i], ["entries", "rounds"]));
  sums.sites = now.sites.map((s, i) => add(sums.sites?.[i] ?? {}, s, before.sites[i], siteKeys));
  sums.traffic = add(sums.traffic ?? {}, now.traffic, before.traffic, ["read", "written"]);
  sums.barriers = (sums.barriers ?? 0) + weight * (now.barriers - before.barriers);
}
