#!/usr/bin/env node
// Measures dlm beside its peers: the same work, from the same initial weights and batches, on the same device, in one run, interleaved.
// Every side of every workload is a process of its own that answers commands (sides/side.mjs); one runs while the others wait.
//   npm run bench -- [--short] [--device auto|gpu|system|embedded|NAME] [--only W1,W4] [--peers "jax-js,tfjs webgpu" | none] [--repeats N] [--json]
//   npm run bench -- --lab TOOL [--gpus navi21,vangogh] [--only W1] [--peers ...] [--defects] [--page] [--json]: the kernels by a GPU's compiler, nothing is run (lab/lab.mjs); --page: into RESULTS.md, --defects: status 1 where a loop waits for single loads
//   --built FOLDER: with what gpu-build.mjs made, without node_modules of peers (bench/gpu.sh); --results FOLDER: where results go
// Prints a table, writes results.json and, after a run over all workloads, RESULTS.md.
import { execFileSync, execSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { optionsOf } from "./options.mjs";
import { toSafetensors } from "./tensors.mjs";
import { compilerText, runtimeText } from "./texts.mjs";
import { tensorsOf, workloads } from "./workloads.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");
const { values: options } = optionsOf(import.meta.url, {
  options: {
    short: { type: "boolean", default: false },
    device: { type: "string", default: "auto" },
    only: { type: "string" },
    peers: { type: "string" },
    repeats: { type: "string" },
    json: { type: "boolean", default: false },
    lab: { type: "string" },
    gpus: { type: "string" },
    page: { type: "boolean", default: false },
    defects: { type: "boolean", default: false },
    built: { type: "string" },
    results: { type: "string" },
  },
});
const repeats = Number(options.repeats ?? (options.short ? 5 : 9));
const roundMs = options.short ? 200 : 400; // what one side's turn should take
const slowRepeats = options.short ? 2 : 3; // of a side whose step takes more than roundMs
const tooSlow = options.short ? 1500 : Infinity; // a peer whose step takes longer is measured once
const say = (text) => void process.stderr.write(text + "\n");
const list = (text) =>
  text
    .split(",")
    .map((s) => s.trim())
    .filter(Boolean);

const { built } = options;
if (!built)
  for (const [folder, why] of [
    [here, "the peers"],
    [root, "dlm's compiler"],
  ])
    if (!existsSync(join(folder, "node_modules"))) {
      say(`bench: installing the packages of ${why} (once)`);
      execSync("npm ci --no-audit --no-fund", { cwd: folder, stdio: ["ignore", 2, 2] });
    }

const esbuild = built ? undefined : await import("esbuild");
const { gzipSync } = await import("node:zlib");

// ---- what is shipped

const out = join(root, "out", "bench");
mkdirSync(out, { recursive: true });
const bundled = async (name, contents, resolveDir, extra = {}) => {
  const outfile = join(out, `${name}.mjs`);
  await esbuild.build({
    stdin: { contents, resolveDir, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    external: ["webgpu", "@sparticuz/chromium"],
    logLevel: "error",
    ...extra,
  });
  return outfile;
};
/** Bytes of a program for a browser, minified and gzipped. */
const shipped = async (contents, resolveDir) => {
  const { outputFiles } = await esbuild.build({
    stdin: { contents, resolveDir, loader: "ts" },
    bundle: true,
    minify: true,
    platform: "browser",
    format: "esm",
    write: false,
    external: ["node:*"],
    logLevel: "error",
  });
  const bytes = outputFiles[0].contents;
  return { minified: bytes.length, gzipped: gzipSync(bytes).length };
};
const bundles = built
  ? { runtime: join(built, "runtime.mjs"), compiler: join(built, "compiler.mjs") }
  : { runtime: await bundled("runtime", runtimeText, root), compiler: await bundled("compiler", compilerText, root) };

// ---- device and sides

const environment = {
  ...process.env,
  MESA_SHADER_CACHE_DISABLE: "1",
  OMP_WAIT_POLICY: "PASSIVE",
  XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR || tmpdir(),
};
if (options.device === "embedded") {
  const driver = await (await import(bundles.runtime)).cachedDriver();
  if (typeof driver === "string") {
    say(`bench: no embedded device: ${driver}`);
    process.exit(2);
  }
  Object.assign(environment, { VK_DRIVER_FILES: driver.manifest, LD_LIBRARY_PATH: driver.folder });
} else if (!["auto", "gpu", "system"].includes(options.device)) environment.BENCH_ADAPTER = options.device;

const node = process.execPath;
const sides = new Map([
  ["dlm", (workload) => [node, join(here, "sides/dlm.mjs"), bundles.runtime, planFile(workload), options.device]],
]);
for (const [library, script] of [
  ["jax-js", "jax-js.mjs"],
  ["tfjs", "tfjs.mjs"],
])
  for (const backend of built ? ["webgpu"] : ["webgpu", "wasm"])
    sides.set(`${library} ${backend}`, (workload) => [
      node,
      join(built ?? join(here, "sides"), script),
      backend,
      workload,
    ]);
if (!built) sides.set("onnxruntime webgpu", () => [node, join(here, "sides/onnxruntime.mjs")]);
/** Does a side do this workload? ONNX Runtime trains nothing here; forward passes are asked of sides in JavaScript. */
const does = (name, { of, run }) =>
  name.startsWith("onnxruntime")
    ? Boolean(of) || /^(product|formula)/.test(run ?? "")
    : !of || name === "dlm" || !/^(pytorch|jax$)/.test(name);
/** A Python that imports a module. */
const pythonWith = (module) =>
  [process.env.PYTHON, "python3", "/usr/bin/python3"].filter(Boolean).find((p) => {
    try {
      execFileSync(p, ["-c", `import ${module}`], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
const python = pythonWith("torch");
if (python) {
  const torch =
    (...args) =>
    () => [python, join(here, "sides/torch_side.py"), ...args];
  sides.set("pytorch cpu", torch("cpu"));
  const has = (expression) =>
    execFileSync(python, ["-c", `import torch; print(${expression})`], { encoding: "utf8" }).trim() === "True";
  if (has("torch.cuda.is_available()")) {
    sides.set("pytorch cuda", torch("cuda"));
    if (has('hasattr(torch, "compile")')) sides.set("pytorch cuda compiled", torch("cuda", "compile"));
  }
} else
  say(
    "bench: PyTorch is skipped: no python3 here imports torch (Debian: apt install python3-torch libopenblas0-pthread; PYTHON names another)",
  );
const pythonOfJax = pythonWith("jax");
if (pythonOfJax) sides.set("jax", () => [pythonOfJax, join(here, "sides/jax_side.py")]);
if (options.peers !== undefined) {
  const wanted = list(options.peers);
  const all = new Set(sides.keys()); // a whole name means that side alone
  for (const name of [...sides.keys()])
    if (name !== "dlm" && !wanted.some((w) => (all.has(w) ? name === w : name.includes(w)))) sides.delete(name);
}
const onWebGPU = (name) => name.endsWith("webgpu");

const only = options.only && list(options.only);
const chosen = Object.keys(workloads).filter((w) => !only || only.some((o) => w === o || w.startsWith(`${o}-`)));
const temporary = mkdtempSync(join(tmpdir(), "dlm-bench-"));
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));
const planFile = (workload) => join(out, `${workload}.plan.json`);

// ---- one side of one workload

function start(name, workload, [program, ...args] = sides.get(name)(workload), env = environment) {
  const child = spawn(program, args, { cwd: here, env, stdio: ["pipe", "ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (d) => (errors = (errors + d).slice(-2000)));
  const answers = createInterface({ input: child.stdio[3] })[Symbol.asyncIterator]();
  child.stdin.on("error", () => {}); // a child that ended is told by its missing answer
  const ask = async (command, seconds = 300) => {
    child.kill("SIGCONT");
    child.stdin.write(JSON.stringify(command) + "\n");
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(() => resolve({ late: true }), seconds * 1000)));
    const answer = await Promise.race([answers.next(), late]);
    clearTimeout(timer);
    child.kill("SIGSTOP"); // whoever waits takes no time from the others
    if (answer.late) return { error: `no answer in ${seconds} s` };
    return answer.done
      ? { error: `the process ended: ${errors.split("\n").filter((l) => /error/i.test(l))[0] ?? errors.slice(-300)}` }
      : JSON.parse(answer.value);
  };
  return { ask, end: () => child.kill("SIGKILL") };
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const m = sorted.length >> 1;
  return sorted.length % 2 ? sorted[m] : (sorted[m - 1] + sorted[m]) / 2;
};
const rounded = (x, digits = 4) => (Number.isFinite(x) ? Number(x.toPrecision(digits)) : undefined);

// ---- one workload

function compiled(workload, target, set = {}, file = planFile(workload)) {
  const text = execFileSync(
    node,
    [
      join(here, "compile.mjs"),
      bundles.compiler,
      join(here, "models", workloads[workload].model),
      file,
      target,
      JSON.stringify(set),
    ],
    { encoding: "utf8", maxBuffer: 1 << 26 },
  );
  return JSON.parse(text);
}

async function measure(workload, target) {
  const spec = workloads[workload];
  say(`${workload}: ${spec.title}`);
  const data = join(temporary, `${workload}.safetensors`);
  writeFileSync(data, toSafetensors(tensorsOf(spec)));
  const compile = compiled(workload, target);
  const running = new Map();
  const measured = new Map();
  for (const name of [...sides.keys()].filter((n) => does(n, spec))) {
    const record = { losses: {}, times: [], ratios: [] };
    measured.set(name, record);
    if (name === "dlm" && compile.error) {
      record.error = compile.error;
      say(`  dlm: ${record.error}`);
      continue;
    }
    const began = performance.now();
    const side = start(name, workload);
    const first = await side.ask({ do: "prepare", workload, data, spec });
    record.cold = performance.now() - began;
    record.device = first.device;
    record.losses[1] = first.value;
    let answer = first;
    let done = 1;
    for (const until of spec.run ? [2, 3] : [2, 4, 10]) {
      // a side whose steps take seconds is compared at fewer of them in a short run
      if (answer.error || record.estimate > tooSlow || (options.short && until === 10 && record.estimate > 500)) break;
      answer = await side.ask({ do: "run", steps: until - done, read: !spec.run && until > 2 });
      record.estimate = answer.ms / (until - done);
      done = until;
      if (!spec.run && until > 2) record.losses[until] = answer.value;
    }
    record.error = answer.error;
    if (record.error) {
      side.end();
      say(`  ${name}: ${record.error.split("\n")[0]}`);
    } else {
      running.set(name, side);
      say(
        `  ${name}: first value ${rounded(record.losses[1])} after ${(record.cold / 1000).toFixed(1)} s, about ${rounded(record.estimate, 3)} ms/step`,
      );
    }
  }
  /** A side's turn: ms of a step, or undefined where it has none any more. */
  const turn = async (name, wanted) => {
    const record = measured.get(name);
    if (!running.has(name) || record.error) return undefined;
    const steps = Math.max(1, Math.min(20000, Math.round(wanted / record.estimate)));
    const answer = await running.get(name).ask({ do: "run", steps });
    if (answer.error) {
      record.error = answer.error;
      return undefined;
    }
    record.times.push((record.estimate = answer.ms / steps));
    Object.assign(record, {
      dispatches: answer.dispatches / steps,
      submits: answer.submits / steps,
      buffers: answer.buffers / steps,
      bytes: answer.bytes,
    });
    return record.estimate;
  };
  // a peer's turn stands between two turns of dlm, so that both meet the same spells of the machine
  for (let round = 0; round < repeats; round++) {
    const peers = [...running.keys()].filter((name) => name !== "dlm" && !measured.get(name).error);
    const due = peers
      .map((_, i) => peers[(i + round) % peers.length])
      .filter(
        (name) =>
          round <
          (measured.get(name).estimate > tooSlow ? 1 : measured.get(name).estimate > roundMs ? slowRepeats : Infinity),
      );
    let before = await turn("dlm", due.length ? roundMs / 2 : roundMs);
    for (const name of due) {
      const ms = await turn(name, roundMs);
      const after = await turn("dlm", roundMs / 2);
      if (ms && before && after) measured.get(name).ratios.push((2 * ms) / (before + after));
      before = after;
    }
  }
  for (const side of running.values()) side.end();
  return summarised(workload, spec, measured, compile);
}

function summarised(workload, spec, measured, compile) {
  const figures = (record, name) => {
    if (record.error || !record.times.length) return { error: (record.error ?? "not measured").split("\n")[0] };
    const ms = median(record.times);
    return {
      ms_median: rounded(ms),
      ms_least: rounded(Math.min(...record.times)),
      ...(record.dispatches && (name === "dlm" || onWebGPU(name))
        ? { dispatches: rounded(record.dispatches), submits: rounded(record.submits), buffers: rounded(record.buffers) }
        : {}),
      ...(record.bytes ? { bytes: record.bytes } : {}),
      cold_start_ms: Math.round(record.cold),
      ...(spec.flops ? { gflops: rounded(spec.flops / ms / 1e6) } : {}),
      ...(record.ratios.length ? { ratio: rounded(median(record.ratios), 3) } : {}),
    };
  };
  const dlm = figures(measured.get("dlm"), "dlm");
  if (!dlm.error) {
    dlm.compile_ms = Math.round(compile.ms);
    const best = spec.best?.gflops
      ? dlm.gflops / spec.best.gflops
      : spec.best?.ms
        ? spec.best.ms / dlm.ms_median
        : undefined;
    if (best !== undefined && /llvmpipe/i.test(measured.get("dlm").device ?? "")) dlm.share = rounded(best, 3);
  }
  const peers = Object.fromEntries(
    [...measured].filter(([name]) => name !== "dlm").map(([name, record]) => [name, figures(record, name)]),
  );
  const ratio = (names) => rounded(Math.min(...names.map((n) => peers[n].ratio ?? Infinity)), 3);
  const losses = {};
  const differing = [];
  for (const at of [1, 4, 10]) {
    const values = Object.fromEntries(
      [...measured].filter(([, r]) => Number.isFinite(r.losses[at])).map(([name, r]) => [name, r.losses[at]]),
    );
    if (!Object.keys(values).length) continue;
    losses[at] = Object.fromEntries(Object.entries(values).map(([name, v]) => [name, rounded(v, 6)]));
    const middle = median(Object.values(values));
    for (const [name, v] of Object.entries(values))
      if (Math.abs(v - middle) > 1e-3 * Math.abs(middle))
        differing.push(`${name} at step ${at}: ${rounded(v, 6)}, the median is ${rounded(middle, 6)}`);
  }
  for (const text of differing) say(`  DIFFERS: ${text}`);
  const devices = new Set(
    [...measured].filter(([name, r]) => r.device && (name === "dlm" || onWebGPU(name))).map(([, r]) => r.device),
  );
  if (devices.size > 1) say(`  the sides ran on different devices: ${[...devices].join("; ")}`);
  const names = Object.keys(peers);
  return {
    workload,
    title: spec.title,
    device: [...devices][0] ?? "",
    date: new Date().toISOString().slice(0, 10),
    dlm,
    peers,
    ratio_best_webgpu: ratio(names.filter(onWebGPU)),
    ratio_best_any: ratio(names),
    losses,
    losses_agree: differing.length === 0,
    ...(differing.length ? { differing } : {}),
  };
}

// ---- tables

function table(rows) {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((r) => String(r[c]).length)));
  const line = (r) =>
    `| ${r.map((cell, c) => (c ? String(cell).padStart(widths[c]) : String(cell).padEnd(widths[c]))).join(" | ")} |`;
  return [
    line(rows[0]),
    `| ${widths.map((w, c) => (c ? "-".repeat(w - 1) + ":" : "-".repeat(w))).join(" | ")} |`,
    ...rows.slice(1).map(line),
  ].join("\n");
}
const number = (x, digits = 3) =>
  x === undefined ? "-" : x >= 1000 ? String(Math.round(x)) : String(rounded(x, digits));
const megabytes = (bytes) => (bytes === undefined ? "-" : number(bytes / 1e6));
function tables(results, sizes) {
  const first = results.map((r) => [
    r.workload,
    r.ratio_best_webgpu === undefined ? "-" : `${number(r.ratio_best_webgpu)}x`,
    r.ratio_best_any === undefined ? "-" : `${number(r.ratio_best_any)}x`,
    r.dlm.error ? "failed" : number(r.dlm.ms_median),
    number(r.dlm.ms_least),
    number(r.dlm.gflops),
    r.dlm.share === undefined ? "-" : `${Math.round(r.dlm.share * 100)} %`,
    number(r.dlm.dispatches),
    number(r.dlm.submits),
    megabytes(r.dlm.bytes),
    number(r.dlm.cold_start_ms === undefined ? undefined : r.dlm.cold_start_ms / 1000),
    number(r.dlm.compile_ms),
    Object.keys(r.losses[1] ?? {}).length < 2 ? "-" : r.losses_agree ? "yes" : "NO",
  ]);
  const names = [...new Set(results.flatMap((r) => Object.keys(r.peers)))];
  const cell = (p) => (!p ? "-" : p.error ? "fails" : `${number(p.ms_median)} (${number(p.ms_least)})`);
  const second = results.map((r) => [
    r.workload,
    r.dlm.error ? "fails" : `${number(r.dlm.ms_median)} (${number(r.dlm.ms_least)})`,
    ...names.map((n) => cell(r.peers[n])),
  ]);
  const third = results.map((r) => [
    r.workload,
    ...names
      .filter(onWebGPU)
      .map((n) =>
        r.peers[n]?.ms_median === undefined
          ? "-"
          : `${number(r.peers[n].dispatches)}/${number(r.peers[n].submits)}/${megabytes(r.peers[n].bytes)}`,
      ),
    ...names.map((n) => number(r.peers[n]?.cold_start_ms === undefined ? undefined : r.peers[n].cold_start_ms / 1000)),
  ]);
  const layers = results.find((r) => r.dlm.compile_ms_by_layers)?.dlm.compile_ms_by_layers;
  return [
    "dlm: ratios to the best WebGPU peer and to the best peer of any kind (above 1: dlm is faster; medians of a turn of the peer by the turns of dlm before and after it), ms/step (median, least), share of the best figure of hand-written kernels, per step dispatches and submits, device memory, cold start to the first value with an empty shader cache (s), compilation (ms), agreement of losses at steps 1, 4 and 10",
    table([
      [
        "",
        "WebGPU",
        "any",
        "ms",
        "least",
        "GFLOP/s",
        "share",
        "dispatches",
        "submits",
        "MB",
        "cold s",
        "compile ms",
        "losses",
      ],
      ...first,
    ]),
    "ms/step, median (least) of interleaved rounds",
    table([["", "dlm", ...names], ...second]),
    ...(names.length
      ? [
          "WebGPU peers: dispatches/submits/MB per step; all peers: cold start to the first value, s",
          table([["", ...names.filter(onWebGPU), ...names.map((n) => `${n} cold`)], ...third]),
        ]
      : []),
    ...(layers
      ? [
          `Compilation of the GPT by layers: ${Object.entries(layers)
            .map(([n, ms]) => `${n}: ${ms} ms`)
            .join(", ")}`,
        ]
      : []),
    ...results.flatMap((r) =>
      workloads[r.workload].told ? [`${r.workload} elsewhere: ${workloads[r.workload].told}`] : [],
    ),
    ...(Object.keys(sizes).length
      ? [
          `Shipped, minified / gzipped, kB: ${Object.entries(sizes)
            .map(([n, s]) => `${n} ${Math.round(s.minified / 1000)} / ${Math.round(s.gzipped / 1000)}`)
            .join("; ")}`,
        ]
      : []),
  ].join("\n\n");
}

/** Puts a run above the earlier ones. */
function onPage(title, text) {
  const page = join(here, "RESULTS.md");
  const head =
    "# Measured\n\nNewest first; every table is one run of `npm run bench`, all sides interleaved on one device.\n";
  const before = existsSync(page) ? readFileSync(page, "utf8").slice(head.length) : "";
  const date = new Date().toISOString().slice(0, 16).replace("T", " ");
  writeFileSync(page, `${head}\n## ${date} UTC, ${title}\n\n${text}\n${before}`);
}

// ---- the lab: kernels as a GPU's compiler makes them

async function lab() {
  const { gpus } = await import("./lab/roofline.mjs");
  const { record } = await import("./lab/record.mjs");
  const { report } = await import("./lab/lab.mjs");
  const gpuNames = options.gpus ? list(options.gpus) : ["navi21", "vangogh"];
  const unknown = gpuNames.find((g) => !gpus[g]);
  if (unknown) throw new Error(`no GPU ${unknown}: ${Object.keys(gpus).join(", ")}`);
  const folder = join(out, "lab");
  const peers = [...sides.keys()].filter((name) => onWebGPU(name) && !name.startsWith("onnxruntime")); // whose device is its own
  const wanted = new Set(["discrete", ...gpuNames.map((g) => gpus[g].target)]);
  const { targets: known } = await import(bundles.compiler);
  const targets = [...wanted].filter((t) => known[t]);
  // recordings of peers hold as long as what they run does
  const files = [
    "workloads.mjs",
    "tensors.mjs",
    "package-lock.json",
    "lab/recorder.mjs",
    ...readdirSync(join(here, "sides")).map((f) => `sides/${f}`),
  ];
  const hash = createHash("sha256");
  for (const f of files) hash.update(readFileSync(join(here, f)));
  const key = hash.digest("hex").slice(0, 12);
  const recordings = [];
  for (const workload of chosen) {
    const spec = workloads[workload];
    say(`${workload}: ${spec.title}`);
    const data = join(temporary, `${workload}.safetensors`);
    writeFileSync(data, toSafetensors(tensorsOf(spec)));
    recordings.push({
      workload,
      sides: await record({
        workload,
        spec,
        names: [...targets.map((t) => `dlm ${t}`), ...peers],
        data,
        folder,
        say,
        key: (name) => (name.startsWith("dlm ") ? undefined : key),
        start: (name) => {
          const env = { ...environment, BENCH_RECORD: "1" };
          if (!name.startsWith("dlm ")) return start(name, workload, undefined, env);
          const file = join(folder, `${workload}.${name.slice(4)}.plan.json`);
          const { error } = compiled(workload, name.slice(4), {}, file);
          return error
            ? { error }
            : start("dlm", workload, [node, join(here, "sides/dlm.mjs"), bundles.runtime, file], env);
        },
      }),
    });
  }
  const { text, brief, defects, data } = await report({
    recordings,
    tool: options.lab,
    gpuNames,
    root,
    folder: join(folder, "code"),
    table,
    say,
  });
  writeFileSync(join(folder, "lab.json"), JSON.stringify(data, undefined, 1));
  writeFileSync(join(folder, "lab.md"), text + "\n");
  console.log(options.json ? JSON.stringify(data, undefined, 1) : text);
  if (options.page) onPage(`kernels by a GPU's compiler${commitText()}`, brief);
  return options.defects && defects.length ? 1 : 0;
}
if (options.lab) process.exit(await lab());

// ---- the run

// kernels are scheduled for the device that they are measured on
const target = deviceTarget();
function deviceTarget() {
  const script = `const { openDevice, targetOf } = await import(${JSON.stringify(bundles.runtime)}); const d = await openDevice(${JSON.stringify(options.device)}); console.log(targetOf(d.facts).name); process.exit(0);`;
  return execFileSync(node, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: environment,
    stdio: ["ignore", "pipe", "ignore"],
  })
    .trim()
    .split("\n")
    .at(-1);
}
function commitText() {
  try {
    return `; commit ${execSync("git rev-parse --short HEAD", { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()}`;
  } catch {
    return ""; // a copy without its history, on a machine lent for a measurement
  }
}
const results = [];
const resultsFolder = options.results ?? here;
mkdirSync(resultsFolder, { recursive: true });
for (const workload of chosen) {
  results.push(await measure(workload, target));
  // what is measured is kept, even if the run is cut short
  if (options.results) writeFileSync(join(resultsFolder, "table.md"), tables(results, {}) + "\n");
  if (options.results) writeFileSync(join(resultsFolder, "results.json"), JSON.stringify(results, undefined, 2));
}
const w3 = results.find((r) => r.workload === "W3" && !r.dlm.error);
if (w3)
  w3.dlm.compile_ms_by_layers = Object.fromEntries(
    [4, 12, 24, 48].map((layers) => [layers, Math.round(compiled("W3", target, { layers: String(layers) }, "-").ms)]),
  );

const sizes = {};
if (!built) {
  sizes["dlm runtime"] = await shipped(
    `export { load } from "./runtime/index.ts"; export { browserDevice } from "./runtime/device.ts";`,
    root,
  );
  for (const w of ["W1", "W2", "W3"])
    if (existsSync(planFile(w)) && chosen.includes(w)) {
      const text = readFileSync(planFile(w));
      sizes[`plan of ${w}`] = { minified: text.length, gzipped: gzipSync(text).length };
    }
  sizes["jax-js"] = await shipped(`export * from "@jax-js/jax";`, here);
  sizes["tfjs (core and webgpu)"] = await shipped(
    `export * from "@tensorflow/tfjs-core"; import "@tensorflow/tfjs-backend-webgpu";`,
    here,
  );
  for (const r of results)
    if (!r.dlm.error && sizes[`plan of ${r.workload}`])
      r.dlm.shipped_gzipped = sizes["dlm runtime"].gzipped + sizes[`plan of ${r.workload}`].gzipped;
}

const file = join(resultsFolder, "results.json");
const earlier =
  existsSync(file) && only ? JSON.parse(readFileSync(file, "utf8")).filter((r) => !chosen.includes(r.workload)) : [];
const order = Object.keys(workloads);
writeFileSync(
  file,
  JSON.stringify(
    [...earlier, ...results].sort((a, b) => order.indexOf(a.workload) - order.indexOf(b.workload)),
    undefined,
    2,
  ) + "\n",
);
const text = tables(results, sizes);
if (options.json) console.log(JSON.stringify(results, undefined, 2));
else console.log(text);
if (!only && !options.results)
  onPage(
    results[0].device,
    `${cpus()[0].model.trim()}, ${cpus().length} cores; Node ${process.versions.node}${commitText()}; ${options.short ? "--short, " : ""}${repeats} rounds.\n\n${text}`,
  );
process.exit(results.some((r) => r.dlm.error || !r.losses_agree) ? 1 : 0);
