#!/usr/bin/env node
// The price of a GPU class beside the machine code of a GPU's compiler: some hundred schedules of products, convolutions, reductions and elementwise
// kernels, drawn by a fixed seed, with what schedule/gpu.ts predicts of each and what the compiler made of it. Facts of compilation; nothing is run.
//   node bench/calibrate.mjs LAB [--target discrete] [--gpu navi21] [--each 6] [--only REGEXP] [--chosen] [--list | --json] [--keep FOLDER]
// LAB: as `npm run bench -- --lab LAB` calls it (lab/lab.mjs; also DLM_LAB). What a group runs is counted as there. --chosen: the schedules that the price takes instead of drawn ones. --list: every kernel. --json: that for programs. --keep: what was counted stays there, and
// kernels whose text is the same are not counted again.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { match, runCounts, treeOf } from "./lab/machine.mjs";
import { walk } from "./lab/walk.mjs";
import { optionsOf } from "./options.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values: options, positionals } = optionsOf(import.meta.url, {
  allowPositionals: true,
  options: {
    target: { type: "string", default: "discrete" },
    gpu: { type: "string" },
    each: { type: "string", default: "6" },
    only: { type: "string", default: "." },
    chosen: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    keep: { type: "string" },
  },
});
const lab = positionals[0] ?? process.env["DLM_LAB"];
if (!lab) {
  console.error("calibrate: which tool counts? node bench/calibrate.mjs LAB, or DLM_LAB");
  process.exit(2);
}
const gpu = options.gpu ?? (options.target === "integrated" ? "vangogh" : "navi21");
const work = mkdtempSync(join(tmpdir(), "dlm-calibrate-"));
const keep = options.keep ?? work;
mkdirSync(keep, { recursive: true });

// the compiler and the tests' kernels in one module
const bundle = join(work, "compiler.mjs");
const { build } = await import("esbuild");
await build({
  stdin: {
    contents: `
      export * from "./test/schedule/cases.ts";
      export { layoutFor } from "./test/schedule/check.ts";
      export { overSources } from "./test/schedule/reference.ts";
      export { targets } from "./compiler/kernel/target.ts";
      export { nestOf } from "./compiler/schedule/nest.ts";
      export { choose, rank } from "./compiler/schedule/choose.ts";
      export { enumerate } from "./compiler/schedule/space.ts";
      export { countOnGpu } from "./compiler/schedule/price.ts";
      export { printSchedule } from "./compiler/schedule/schedule.ts";
      export { lowerKernel } from "./compiler/lower/lower.ts";
      export { printModule } from "./compiler/wgsl/print.ts";`,
    resolveDir: root,
    loader: "ts",
  },
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  outfile: bundle,
  logLevel: "error",
});
const c = await import(pathToFileURL(bundle));
const target = c.targets[options.target];
const layout = c.layoutFor((s) => s.dtype);

const kernels = [
  ...[512, 1024, 2048].map((n) => c.product("NN", n, n, n)),
  c.product("TN", 1024, 1024, 1024),
  c.product("NT", 1024, 1024, 1024),
  c.product("NN", 128, 512, 784, true),
  c.product("TN", 784, 512, 128),
  c.product("NT", 128, 784, 512),
  c.product("NN", 128, 10, 512),
  c.product("NN", 768, 512, 128),
  c.product("NN", 768, 65, 128),
  c.product("NN", 100, 300, 200),
  c.scores(12, 4, 64, 32),
  c.causalValues(12, 4, 64, 32),
  c.conv(64, 28, 1, 32),
  c.conv(64, 14, 32, 64),
  c.convInput(64, 14, 32, 64),
  c.convWeight(64, 28, 1, 32),
  c.convWeight(64, 14, 32, 64),
  c.softmax(4096, 1024),
  c.softmax(768, 128),
  c.layerNorm(4096, 1024),
  c.rowSums(4096, 1024),
  c.columnSums(4096, 1024),
  c.channelSums(64, 14, 64),
  c.sumOfSquares(670080),
  c.crossEntropy(4096, 65),
  c.elementwise([4194304]),
  c.gelu(4194304),
  c.adam(670080),
  c.transpose(1024, 768),
  c.pool(64, 28, 32),
  c.poolGradient(64, 28, 32),
];
let state = 20261129;
const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const items = [];
for (const kernel of kernels) {
  if (!new RegExp(options.only).test(kernel.name)) continue;
  const nest = c.nestOf(c.overSources(kernel.spec));
  const ranked = c.rank(nest, target);
  const best = ranked[0];
  const drawn = options.chosen
    ? [best]
    : [
        best,
        ...Array.from({ length: Number(options.each) - 1 }, () => ranked[Math.floor(next() ** 2 * ranked.length)]),
      ];
  for (const { nest: own, schedule } of new Set(drawn)) {
    const lowered = c.lowerKernel(nest.spec, layout, target, { schedule });
    const text = c.printModule(lowered.module);
    const id = createHash("sha256").update(text).digest("hex").slice(0, 16);
    items.push({
      kernel: kernel.name,
      schedule: c.printSchedule(schedule),
      text,
      id,
      dispatch: dispatchOf(lowered, text),
      time: c.countOnGpu(own, schedule, target),
    });
  }
}
// what the compiler counts, a few kernels at a time so that nothing is lost when it is stopped
const place = (id) => join(keep, `${gpu}-${id}.json`);
const missing = [...new Map(items.filter((x) => !existsSync(place(x.id))).map((x) => [x.id, x])).values()];
for (let k = 0; k < missing.length; k += 8) {
  const some = missing.slice(k, k + 8);
  for (const x of some) writeFileSync(join(work, `${x.id}.wgsl`), x.text);
  const files = some.map((x) => join(work, `${x.id}.wgsl`));
  const found = JSON.parse(
    execFileSync(lab, ["--gpu", gpu, "--json", "--asm", ...files], {
      cwd: root,
      env: { ...process.env, TMPDIR: work },
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  const listings = readdirSync(work, { recursive: true }).filter((f) => f.endsWith(".wgsl.s"));
  for (const r of found.kernels) {
    const listing = listings.find((f) => f.endsWith(`${r.name}.wgsl.s`));
    const text = listing && readFileSync(join(work, listing), "utf8").split("*** SHADER STATS")[0];
    writeFileSync(place(r.name), JSON.stringify({ ...r, listing: text }));
  }
}
function dispatchOf({ workgroups, bindings }, code) {
  const count = workgroups[0].tiles.reduce((n, [size, tile]) => n * Math.ceil(size / tile), 1);
  const bytes = (node) => 4 * node.shape.reduce((n, d) => n * d, 1);
  return {
    code,
    workgroups: [count, 1, 1],
    bindings: bindings.map((b) => ({ group: 0, binding: b.binding, bytes: bytes(b.node) })),
  };
}
/** What a group of the target's lanes runs, where the loops of the machine code are those of the text: its waves have one or two of them. */
function ranOf({ dispatch }, { listing, lds }) {
  if (!listing) return undefined;
  try {
    const tree = treeOf(listing);
    const matched = match(tree, walk(dispatch), lds);
    return typeof matched === "string" ? undefined : runCounts(tree);
  } catch {
    return undefined; // too long to walk
  }
}

const rows = items.flatMap((x) => {
  const r = JSON.parse(readFileSync(place(x.id), "utf8"));
  if (r.error) {
    console.error(`${x.kernel} · ${x.schedule}: ${r.error}`);
    return [];
  }
  const { count, resident } = x.time;
  const t = ranOf(x, r);
  const instructions = count.multiplyAdds + count.other + count.loads + count.uniform + count.stores + count.workgroup;
  return [
    {
      ...x,
      pairs: {
        registers: [count.registers, r.vgpr],
        waves: [resident, Math.min(r.waves, target.gpu.groups)],
        "workgroup memory": [count.workgroupMemory, r.lds],
        instructions: [instructions, t?.instructions],
        "multiply-adds": [count.multiplyAdds, t?.fma],
        loads: [count.loads, t?.loads],
        waits: [count.waits, t?.waits],
        "loads in flight": [count.waits ? count.loads / count.waits : 0, t?.waits ? t.loads / t.waits : undefined],
        barriers: [count.barriers, t?.barriers],
      },
      spilled: r.spilled,
      counted: { ...r, listing: undefined, total: t },
    },
  ];
});
if (options.json) {
  console.log(
    JSON.stringify(rows.map(({ kernel, schedule, id, time, counted }) => ({ kernel, schedule, id, ...time, counted }))),
  );
  rmSync(work, { recursive: true, force: true });
  process.exit(0);
}
if (options.list)
  for (const x of rows)
    console.log(
      `${x.kernel} · ${x.schedule} · ${x.id}${x.spilled ? ` · spills ${x.spilled}` : ""}\n    ` +
        Object.entries(x.pairs)
          .filter(([, [, b]]) => b !== undefined)
          .map(([name, [a, b]]) => `${name} ${round(a)}/${round(b)}`)
          .join(", "),
    );
function round(x) {
  return Math.abs(x) >= 100 ? Math.round(x) : Number(x.toPrecision(3));
}
const median = (xs) => [...xs].sort((a, b) => a - b)[xs.length >> 1];
console.log(
  `${options.target} on ${gpu}: ${rows.length} schedules of ${new Set(rows.map((x) => x.kernel)).size} kernels, predicted by counted`,
);
console.log(
  "|  | schedules | rank correlation | median ratio | middle half | within a quarter |\n| --- | ---: | ---: | ---: | ---: | ---: |",
);
for (const name of Object.keys(rows[0].pairs)) {
  const pairs = rows.map((x) => x.pairs[name]).filter(([, b]) => b !== undefined && Number.isFinite(b));
  const both = pairs.filter(([a, b]) => a > 0 && b > 0);
  if (!both.length) continue;
  const ratios = both.map(([a, b]) => a / b).sort((a, b) => a - b);
  const at = (q) => ratios[Math.min(ratios.length - 1, Math.floor(q * ratios.length))].toFixed(2);
  const near = both.filter(([a, b]) => Math.abs(Math.log(a / b)) < Math.log(1.25)).length;
  console.log(
    `| ${name} | ${pairs.length} | ${correlation(pairs).toFixed(2)} | ${median(ratios).toFixed(2)} | ${at(0.25)} to ${at(0.75)} | ${Math.round((100 * near) / both.length)} % |`,
  );
}
/** Of the ranks: 1 where both order the schedules alike. */
function correlation(pairs) {
  const ranks = (xs) => {
    const order = xs.map((x, i) => [x, i]).sort((a, b) => a[0] - b[0]);
    const rank = new Array(xs.length);
    for (let i = 0; i < order.length;) {
      let j = i;
      while (j < order.length && order[j][0] === order[i][0]) j++;
      for (let k = i; k < j; k++) rank[order[k][1]] = (i + j - 1) / 2;
      i = j;
    }
    return rank;
  };
  const [a, b] = [ranks(pairs.map((p) => p[0])), ranks(pairs.map((p) => p[1]))];
  const mean = (xs) => xs.reduce((s, x) => s + x, 0) / xs.length;
  const [ma, mb] = [mean(a), mean(b)];
  const cov = a.reduce((s, x, i) => s + (x - ma) * (b[i] - mb), 0);
  const spread = (xs, m) => Math.sqrt(xs.reduce((s, x) => s + (x - m) ** 2, 0));
  return cov / (spread(a, ma) * spread(b, mb) || 1);
}
rmSync(work, { recursive: true, force: true });
