// dlm doctor: which WebGPU device is used, why, what it can do, what was tried, and how to get a better one.
// In: the choice (--device, DLM_DEVICE).   Out: a report, as text or as JSON.
// Each way is tried in a process of its own: a driver that crashes takes only that one down, and what Dawn writes to standard error is part of the report.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { classTexts, subgroupText, type DeviceFacts } from "../../runtime/device.ts";
import { resolvePackage } from "../../runtime/embedded.ts";
import {
  DeviceUnavailable,
  driverManifests,
  openDevice,
  systemAdapterNames,
  type Attempt,
} from "../../runtime/node.ts";
import { messageOf } from "../../runtime/problem.ts";
import { carrier, embeddedDriver, installDriver } from "./embedded.ts";
import { byteText } from "../print/text.ts";
import { UserError } from "./problem.ts";
import { openTerminal, styles } from "./terminal.ts";

/** What one way to a device gave. */
export interface Trial {
  readonly device?: DeviceFacts;
  readonly computes?: boolean; // a small kernel gave the right values
  readonly openedIn?: number; // milliseconds, loading Dawn included
  readonly roundTrip?: number; // milliseconds of a submit whose result is read back, median
  readonly adapters?: readonly string[]; // names that --device can choose
  readonly problem?: string;
  readonly tried: readonly Attempt[];
  readonly messages: readonly string[]; // of Dawn and the Vulkan loader
}
export interface DoctorReport {
  readonly choice: string;
  readonly chosenBy: "--device" | "DLM_DEVICE" | "default";
  readonly why: string;
  readonly used: Trial;
  readonly embedded: Trial; // whether or not it is the one used
  readonly drivers: readonly string[]; // manifests of the system's Vulkan drivers
  readonly hardware: readonly string[]; // signs of a GPU, whether or not it can be used
  readonly environment: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly advice: readonly string[];
}

export interface DoctorFlags {
  readonly device?: string;
  readonly install?: boolean; // the embedded device, where it is not there
  readonly json?: boolean;
}
export async function doctor(options: DoctorFlags): Promise<void> {
  if (options.install) await install(options);
  const report = await examine(options.device);
  if (options.json) process.stdout.write(JSON.stringify({ kind: "doctor", ...report }) + "\n");
  else process.stdout.write(render(report, openTerminal(false).color));
  if (!report.used.device || report.used.computes === false) process.exitCode = 1;
}

async function install({ json }: DoctorFlags): Promise<void> {
  const terminal = openTerminal(json === true);
  terminal.update(
    `the embedded device: fetching ${carrier.name} ${carrier.version} where it is not there (${byteText(carrier.bytes)})`,
  );
  const driver = await installDriver();
  terminal.endUpdate();
  if (typeof driver === "string") throw new UserError(`the embedded device is not there: ${driver}`);
  if (!json) terminal.line(`The embedded device is in ${driver.folder}.\n`);
}

// ---- collecting

async function examine(device: string | undefined): Promise<DoctorReport> {
  const variable = process.env["DLM_DEVICE"];
  const choice = device || variable || "auto";
  const [used, embedded, drivers] = await Promise.all([tryInChild(choice), tryInChild("embedded"), driverManifests()]);
  const hardware = signsOfHardware();
  const chosenBy = device ? "--device" : variable ? "DLM_DEVICE" : "default";
  const facts: Findings = { choice, chosenBy, used, embedded, drivers, hardware };
  const names = [
    "DLM_DEVICE",
    "DLM_CACHE",
    "XDG_CACHE_HOME",
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "VK_ADD_DRIVER_FILES",
    "LD_LIBRARY_PATH",
  ];
  return {
    ...facts,
    why: reason(facts),
    environment: Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
    versions: {
      node: process.versions.node,
      webgpu: await packageVersion("webgpu"),
      platform: `${process.platform} ${process.arch}`,
    },
    advice: advise(facts),
  };
}
type Findings = Pick<DoctorReport, "choice" | "chosenBy" | "used" | "embedded" | "drivers" | "hardware">;

/** Runs `attempt` below in a process of its own. */
function tryInChild(choice: string): Promise<Trial> {
  const program = `const { attempt } = await import(${JSON.stringify(import.meta.url)}); process.stdout.write(JSON.stringify(await attempt(${JSON.stringify(choice)})));`;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 60_000,
    });
    const text = { out: "", err: "" };
    child.stdout.on("data", (chunk: Buffer) => (text.out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (text.err += chunk.toString()));
    child.on("error", (error) =>
      resolve({ problem: `cannot start ${process.execPath}: ${error.message}`, tried: [], messages: [] }),
    );
    child.on("close", (status, signal) => {
      const messages = [...new Set(text.err.split("\n"))].flatMap((line) =>
        line.startsWith("Warning: ") && !line.includes("artificially reduced") ? [line.slice("Warning: ".length)] : [],
      );
      try {
        resolve({ ...(JSON.parse(text.out) as Trial), messages });
      } catch {
        const ended =
          signal === "SIGTERM"
            ? "did not answer within a minute"
            : signal
              ? `was ended by ${signal}: a driver crashed`
              : `ended with status ${status}`;
        resolve({
          problem: `the process that tried it ${ended}`,
          tried: [],
          messages: text.err.trim() ? text.err.trim().split("\n").slice(-6) : [],
        });
      }
    });
  });
}

/** Opens the device of a choice and lets it compute. */
export async function attempt(choice: string): Promise<Trial> {
  const start = performance.now();
  const adapters = choice === "embedded" ? {} : { adapters: await systemAdapterNames().catch(() => []) };
  try {
    const opened = await openDevice(choice, embeddedDriver);
    const openedIn = performance.now() - start;
    try {
      return {
        device: opened.facts,
        openedIn,
        ...(await compute(opened.device)),
        ...adapters,
        tried: opened.tried,
        messages: [],
      };
    } catch (error) {
      return {
        device: opened.facts,
        openedIn,
        computes: false,
        problem: messageOf(error),
        ...adapters,
        tried: opened.tried,
        messages: [],
      };
    } finally {
      opened.close();
    }
  } catch (error) {
    if (!(error instanceof DeviceUnavailable)) throw error;
    return { problem: error.message.split("\n")[0]!, ...adapters, tried: error.tried, messages: [] };
  }
}

/** A kernel whose right answer is known, and the time of a round trip to the device. */
async function compute(device: GPUDevice): Promise<Pick<Trial, "computes" | "roundTrip">> {
  const count = 1024;
  const code = `@group(0) @binding(0) var<storage, read_write> y: array<u32>;\n@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = id.x * id.x + 1u; }`;
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const values = device.createBuffer({ size: 4 * count, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const staging = device.createBuffer({ size: 4 * count, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: values } }],
  });
  const times: number[] = [];
  let computes = true;
  for (let round = 0; round < 9; round++) {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(count / 64);
    pass.end();
    encoder.copyBufferToBuffer(values, 0, staging, 0, 4 * count);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    computes &&= new Uint32Array(staging.getMappedRange()).every((value, i) => value === i * i + 1);
    staging.unmap();
    times.push(performance.now() - start);
  }
  return { computes, roundTrip: times.sort((a, b) => a - b)[4]! };
}

/** Traces that a GPU leaves in a Linux system. */
function signsOfHardware(): readonly string[] {
  if (process.platform !== "linux") return [];
  const nodes = (folder: string, pattern: RegExp): readonly string[] => {
    try {
      return readdirSync(folder).flatMap((name) => (pattern.test(name) ? [join(folder, name)] : []));
    } catch {
      return [];
    }
  };
  return [...nodes("/dev/dri", /^renderD\d+$/), ...nodes("/dev", /^(nvidia\d+|dxg|kfd)$/)];
}

async function packageVersion(name: string): Promise<string> {
  const entry = await resolvePackage(name);
  for (let folder = entry && dirname(entry); folder && folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, "package.json");
    if (existsSync(path)) return (createRequire(import.meta.url)(path) as { version?: string }).version ?? "unknown";
  }
  return "not installed";
}

// ---- judging

function reason({ choice, chosenBy, used }: Findings): string {
  const { device } = used;
  const asked = chosenBy === "default" ? "" : ` (${chosenBy} ${choice})`;
  if (!device) return (used.problem ?? "no device was found").replace(/:$/, asked);
  if (choice !== "auto") return `it is the one asked for${asked}`;
  if (device.class === "gpu") return "a real GPU comes first";
  if (device.class === "system")
    return "there is no real GPU that Vulkan can use; a software driver of the system comes next";
  return `${used.tried.map((attempt) => attempt.outcome).join("; ")}; the embedded device comes last and always works`;
}

function advise({ choice, used, embedded, drivers, hardware }: Findings): readonly string[] {
  const advice: string[] = [];
  const device = used.device;
  if (used.computes === false)
    advice.push("This device computes wrong values. Choose another: --device embedded, and update the driver.");
  if (device?.class === "gpu") {
    const others = used.adapters?.filter((name) => !device.name.includes(name)) ?? [];
    advice.push(
      others.length
        ? `Nothing to do. Other adapters can be chosen by name: ${others.join(", ")}.`
        : "Nothing to do: a real GPU is the best there is.",
    );
    return advice;
  }
  if (!device && choice !== "auto") advice.push(`Without --device ${choice}, dlm takes the best device that works.`);
  if (process.platform !== "linux") {
    advice.push("A GPU with a current driver of its maker is all that is needed.");
    return advice;
  }
  const nvidia = hardware.some((path) => path.includes("nvidia"));
  if (hardware.some((path) => path.endsWith("dxg")))
    advice.push(
      "This is WSL: its GPU is reached through Mesa's `dzn` driver, part of recent mesa-vulkan-drivers packages.",
    );
  else if (nvidia)
    advice.push(
      "An NVIDIA GPU is here, without its Vulkan driver. In a container: run with --gpus all and NVIDIA_DRIVER_CAPABILITIES=all. On a machine: install the full driver, not only CUDA's part.",
    );
  else if (hardware.length)
    advice.push(
      `A GPU is here (${hardware.join(", ")}), and no Vulkan driver that can use it. Install mesa-vulkan-drivers (AMD, Intel), and let this user read the device (group \`render\`).`,
    );
  else
    advice.push(
      "A real GPU. On a machine that has one: install its Vulkan driver. In a container: hand it in (--gpus all with NVIDIA_DRIVER_CAPABILITIES=all, or --device /dev/dri).",
    );
  if (device?.class === "embedded" && choice === "auto") advice.push(lavapipe(drivers));
  if (embedded.problem && device?.class !== "embedded")
    advice.push(
      `The embedded device, which is there for machines without a driver, does not work: ${embedded.tried.at(-1)?.outcome ?? embedded.problem}.`,
    );
  return advice;
}

/** How to get Mesa's software driver: matrix products run at 34 GFLOP/s on it where the embedded one reaches 4 (two cores of Zen 4). */
function lavapipe(drivers: readonly string[]): string {
  const old = drivers.some((path) => /lvp_icd/.test(path))
    ? "The system's software driver (Mesa lavapipe) is too old for WebGPU: it has to be 23 or newer."
    : "Mesa's software driver, lavapipe (23 or newer), is several times faster than the embedded one.";
  const system = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const install = /VERSION_CODENAME=bookworm/.test(system)
    ? "enable bookworm-backports, then apt install -t bookworm-backports mesa-vulkan-drivers"
    : /ID(_LIKE)?=.*(debian|ubuntu)/.test(system)
      ? "apt install mesa-vulkan-drivers"
      : /ID(_LIKE)?=.*(fedora|rhel)/.test(system)
        ? "dnf install mesa-vulkan-drivers"
        : "the package is called mesa-vulkan-drivers or vulkan-swrast";
  return `${old} To install it: ${install}.`;
}

// ---- printing

/** Limits that decide what a kernel may be, with WebGPU's default. */
const limitsShown: readonly (readonly [name: string, text: string, byDefault: number, unit: "bytes" | "count"])[] = [
  ["maxBufferSize", "largest buffer", 268435456, "bytes"],
  ["maxStorageBufferBindingSize", "largest binding", 134217728, "bytes"],
  ["maxStorageBuffersPerShaderStage", "storage buffers of a kernel", 8, "count"],
  ["maxComputeInvocationsPerWorkgroup", "invocations of a workgroup", 256, "count"],
  ["maxComputeWorkgroupStorageSize", "workgroup memory", 16384, "bytes"],
  ["maxComputeWorkgroupsPerDimension", "workgroups in one direction", 65535, "count"],
];

export function render(report: DoctorReport, color: boolean): string {
  const { bold, dim, green, red, yellow, cyan } = styles(color);
  const { used, embedded } = report;
  const width = Math.min(process.stdout.columns || 100, 110);
  const lines: string[] = [];
  const section = (title: string, ...texts: readonly string[]): void => {
    lines.push("", bold(title), ...texts.flatMap((text) => wrap(text, width - 2)).map((text) => "  " + text));
  };
  const home = (path: string): string => (path.startsWith(homedir() + "/") ? "~" + path.slice(homedir().length) : path);
  const row = (name: string, text: string): string => `${name.padEnd(30)}${text}`;

  const { device } = used;
  const mark = !device || used.computes === false ? red("✗") : device.class === "gpu" ? green("●") : yellow("●");
  lines.push(`${mark} ${bold(device?.name ?? "No WebGPU device")}`);
  if (device) {
    const about = [classTexts[device.class], `${device.vendor} ${device.architecture}`.trim(), subgroupText(device)];
    lines.push(`  ${about.filter(Boolean).join(" · ")}`);
    const state = used.computes ? green("computes") : red(`does not compute${used.problem ? `: ${used.problem}` : ""}`);
    lines.push(
      `  ${state}${dim(` · opened in ${Math.round(used.openedIn ?? 0)} ms · round trip ${(used.roundTrip ?? NaN).toFixed(2)} ms`)}`,
    );
  }
  section(
    device ? "Why this one" : "Why",
    `${report.why}.`.replace(/^./, (first) => first.toUpperCase()),
  );

  const outcomes = used.tried.map((attempt) => `${red("✗")} ${attempt.way}: ${attempt.outcome}`);
  const taken = device
    ? [`${green("✓")} ${device.class === "embedded" ? "embedded driver" : "system drivers"}: ${device.name}`]
    : [];
  const standby =
    device && device.class !== "embedded"
      ? [
          embedded.device
            ? `${dim("○")} embedded driver: ${embedded.device.name}, ready (--device embedded)`
            : `${red("✗")} embedded driver: ${embedded.tried.at(-1)?.outcome ?? embedded.problem ?? ""}`,
        ]
      : [];
  section(
    "Tried",
    ...outcomes,
    ...taken,
    ...standby,
    ...[...new Set([...used.messages, ...(device ? [] : embedded.messages)])].map((message) =>
      dim(`  Dawn: ${message}`),
    ),
  );
  if (used.adapters?.length) section("Adapters of the system", ...used.adapters);
  if (report.drivers.length) section("Vulkan drivers of the system", ...report.drivers.map((path) => dim(home(path))));

  if (device) {
    const size = (value: number, unit: "bytes" | "count"): string =>
      unit === "count"
        ? String(value)
        : value >= 1 << 20
          ? `${Math.round(value / 2 ** 20)} MB`
          : `${Math.round(value / 1024)} kB`;
    section(
      "Limits",
      ...limitsShown.map(([name, text, byDefault, unit]) =>
        row(
          text,
          `${size(device.limits[name] ?? NaN, unit).padEnd(12)}${dim((device.limits[name] ?? 0) > byDefault ? `default ${size(byDefault, unit)}` : "the default")}`,
        ),
      ),
    );
    section(
      "Features",
      ["subgroups", "shader-f16", "timestamp-query"]
        .map((name) => (device.features.includes(name) ? `${green("✓")} ${name}` : dim(`✗ ${name}`)))
        .join("   "),
    );
  }
  const settings = Object.entries(report.environment).map(([name, value]) => `${name}=${home(value)}`);
  section(
    "Environment",
    Object.entries(report.versions)
      .map(([name, value]) => `${name} ${value}`)
      .join(" · "),
    ...settings.map(dim),
  );
  section("A better device", ...report.advice.map((text) => `${cyan("→")} ${text}`));
  return lines.join("\n") + "\n";
}

/** Breaks at spaces; under an item with a mark in front, continued lines are indented. */
function wrap(text: string, width: number): readonly string[] {
  const visible = (part: string): number => stripVTControlCharacters(part).length;
  if (visible(text) <= width) return [text];
  const indent = /^\P{L}/u.test(text) ? "  " : "";
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line.trim() && visible(line) + 1 + visible(word) > width) {
      lines.push(line);
      line = indent + word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line];
}
