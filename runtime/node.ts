// A WebGPU device in Node, through the package `webgpu` (Dawn).
// In: a choice: auto | gpu | system | embedded | part of an adapter's name (else DLM_DEVICE, else auto); where the embedded driver lies.
// Out: a device with the adapter's full limits, what it is, and what was tried before it; or DeviceUnavailable, whose message is meant for people.
// `auto`: a real GPU, else a software Vulkan driver of the system, else the embedded device (SwiftShader, embedded.ts).
// No `node:` module is imported: this file is part of trainers that browsers load and bundlers read.
import { requestDevice, type DeviceClass, type DeviceFacts } from "./device.ts";
import { cachedDriver, resolvePackage, type EmbeddedDriver, type FindDriver } from "./embedded.ts";
import { messageOf } from "./problem.ts";
import type { Device } from "./platform.ts";

/** One way to a device: what came of it. */
export interface Attempt {
  readonly way: "system drivers" | "embedded driver";
  readonly outcome: string;
}
export interface OpenedDevice {
  readonly device: Device;
  readonly facts: DeviceFacts;
  readonly choice: string;
  readonly tried: readonly Attempt[];
  /** Frees the device. Node does not exit while one is alive. */
  readonly close: () => void;
}

export class DeviceUnavailable extends Error {
  override readonly name = "DeviceUnavailable";
  readonly tried: readonly Attempt[];
  constructor(message: string, tried: readonly Attempt[]) {
    super(message);
    this.tried = tried;
  }
}

export async function openDevice(wanted?: string, findDriver: FindDriver = cachedDriver): Promise<OpenedDevice> {
  const choice = wanted || process.env["DLM_DEVICE"] || "auto";
  const own = await hostAdapter(choice);
  if (own) return opened(own, own.adapter.info.isFallbackAdapter ? "system" : "gpu", choice, []);
  const { create } = await loadWebGPU();
  const tried: Attempt[] = [];

  if (choice !== "embedded") {
    const way = "system drivers";
    const absent = await noSystemDriver();
    if (absent) tried.push({ way, outcome: absent });
    else {
      const adapter = await systemAdapter(create, choice);
      if (typeof adapter === "string") tried.push({ way, outcome: adapter });
      else return opened(adapter, adapter.adapter.info.isFallbackAdapter ? "system" : "gpu", choice, tried);
    }
  }

  if (
    choice === "auto" ||
    choice === "embedded" ||
    (choice !== "gpu" && choice !== "system" && "swiftshader".includes(choice.toLowerCase()))
  ) {
    const way = "embedded driver";
    const driver = await findDriver();
    if (typeof driver === "string") tried.push({ way, outcome: driver });
    else {
      const gpu = create([...options]);
      const adapter = await withDriver(driver, () => requestAdapter(gpu));
      if (typeof adapter === "string" || adapter.info.architecture !== "swiftshader") {
        const { isMainThread } = process.getBuiltinModule("node:worker_threads");
        const isBun = process.versions["bun"] !== undefined; // what it sets of the environment, libraries do not see
        const outcome =
          isMainThread && !isBun
            ? `the driver in ${driver.folder} cannot be used (${typeof adapter === "string" ? adapter : adapter.info.description}); without that folder, dlm unpacks it again`
            : `in ${isBun ? "Bun" : "a worker thread"} the driver cannot be chosen; start the process with VK_DRIVER_FILES=${driver.manifest}`;
        tried.push({ way, outcome });
      } else return opened({ gpu, adapter }, "embedded", choice, tried);
    }
  }
  const outcomes = tried.map((attempt) => `\n  ${attempt.way}: ${attempt.outcome}`).join("");
  throw new DeviceUnavailable(
    `no ${choice === "auto" ? "WebGPU" : `"${choice}"`} device was found:${outcomes}\n\`npx dlm doctor\` says more; --device or DLM_DEVICE chooses (auto, gpu, system, embedded, or a part of a name)`,
    tried,
  );
}

// Timestamps are rounded to 0.1 ms by default, against web pages that spy on each other; nobody else runs in this process.
const options: readonly string[] = ["disable-dawn-features=timestamp_quantization"];

type Create = (options: readonly string[]) => GPU;

async function loadWebGPU(): Promise<{ readonly create: Create }> {
  let library: { create: (options: string[]) => GPU; globals: object };
  try {
    const entry = await resolvePackage("webgpu");
    if (!entry) throw new DeviceUnavailable("the package `webgpu` is not installed here: npm install webgpu", []);
    const { pathToFileURL } = process.getBuiltinModule("node:url");
    library = (await import(/* @vite-ignore */ /* webpackIgnore: true */ pathToFileURL(entry).href)) as typeof library;
  } catch (error) {
    if (error instanceof DeviceUnavailable) throw error;
    throw new DeviceUnavailable(
      `the package \`webgpu\` has no build that works on ${process.platform} ${process.arch}: ${messageOf(error)}`,
      [],
    );
  }
  for (const [name, value] of Object.entries(library.globals))
    if (!(name in globalThis)) Object.assign(globalThis, { [name]: value as unknown }); // GPUBufferUsage and its like
  return { create: (given) => library.create([...given]) };
}

interface FoundAdapter {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
}
/** Of a host that has WebGPU by itself, as Deno does: the adapter that fits the choice. */
async function hostAdapter(choice: string): Promise<FoundAdapter | undefined> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  if (!gpu || !["auto", "gpu", "system"].includes(choice)) return undefined;
  const adapter = await requestAdapter(gpu);
  if (typeof adapter === "string") return undefined;
  const isSoftware = adapter.info.isFallbackAdapter === true;
  return choice === "auto" || isSoftware === (choice === "system") ? { gpu, adapter } : undefined;
}

/** Of the system's drivers, the adapter that fits the choice, or why there is none. */
async function systemAdapter(create: Create, choice: string): Promise<FoundAdapter | string> {
  const take = async (name?: string): Promise<FoundAdapter | string> => {
    const gpu = create([...options, ...(name ? [`adapter=${name}`] : [])]);
    const adapter = await requestAdapter(gpu);
    return typeof adapter === "string" ? adapter : { gpu, adapter };
  };
  if (choice === "auto" || choice === "gpu" || choice === "system") {
    const found = await take();
    const isSoftware = typeof found === "object" && found.adapter.info.isFallbackAdapter;
    if (choice !== "system")
      return choice === "gpu" && isSoftware ? `only ${found.adapter.info.description}, which is software` : found;
    if (isSoftware) return found;
  }
  const names = await adapterNames(create);
  for (const name of names) {
    const found = choice === "system" || name.toLowerCase().includes(choice.toLowerCase()) ? await take(name) : "";
    if (typeof found === "object" && (choice !== "system" || found.adapter.info.isFallbackAdapter)) return found;
  }
  return `there is only ${names.join(", ") || "no adapter"}`;
}

async function requestAdapter(gpu: GPU): Promise<GPUAdapter | string> {
  try {
    return (await gpu.requestAdapter({ powerPreference: "high-performance" })) ?? "no adapter that WebGPU can use";
  } catch (error) {
    return messageOf(error).split("\n")[0]!;
  }
}

// Dawn lives as long as `gpu` is reachable, and Node as long as Dawn has work: whoever keeps a device keeps its Dawn.
const instances = new WeakMap<GPUDevice, GPU>();

async function opened(
  { gpu, adapter }: FoundAdapter,
  deviceClass: DeviceClass,
  choice: string,
  tried: readonly Attempt[],
): Promise<OpenedDevice> {
  const { device, facts } = await requestDevice(adapter, deviceClass);
  instances.set(device, gpu);
  // A device that is destroyed before it answered once takes the process with it, or holds it forever.
  await device.queue.onSubmittedWorkDone();
  return {
    device,
    facts,
    choice,
    tried,
    close: () => {
      if (instances.delete(device)) device.destroy();
    },
  };
}

/** What `--device NAME` can choose among the system's drivers. */
export async function systemAdapterNames(): Promise<readonly string[]> {
  return (await noSystemDriver()) ? [] : adapterNames((await loadWebGPU()).create);
}

/** Dawn lists the names of its adapters when asked for one that is not there. */
async function adapterNames(create: Create): Promise<readonly string[]> {
  try {
    await create(["adapter=\u0001"]).requestAdapter();
    return [];
  } catch (error) {
    return [...new Set([...messageOf(error).matchAll(/name: '(.*)'/g)].map((match) => match[1]!))];
  }
}

/** Why asking the system's drivers is pointless, if it is (Linux only). Saves the time, and Dawn's warnings on standard error. */
async function noSystemDriver(): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  if (!(await loadLibrary("libvulkan.so.1"))) return "the system has no Vulkan loader (libvulkan.so.1)";
  if ((await driverManifests()).length) return undefined;
  return process.env["VK_DRIVER_FILES"]
    ? `VK_DRIVER_FILES=${process.env["VK_DRIVER_FILES"]} names no driver that is there`
    : "the system has a Vulkan loader, and no Vulkan driver";
}

/** The manifests of Vulkan drivers in the folders in which the Vulkan loader looks. */
export async function driverManifests(): Promise<readonly string[]> {
  const fs = process.getBuiltinModule("node:fs");
  const { join } = process.getBuiltinModule("node:path");
  const { homedir } = process.getBuiltinModule("node:os");
  const list = (name: string): readonly string[] | undefined => process.env[name]?.split(":").filter(Boolean);
  const chosen = list("VK_DRIVER_FILES") ?? list("VK_ICD_FILENAMES");
  const folders = [
    ...[
      process.env["XDG_CONFIG_HOME"] || join(homedir(), ".config"),
      ...(list("XDG_CONFIG_DIRS") ?? ["/etc/xdg"]),
      "/usr/local/etc",
      "/etc",
    ],
    ...[
      process.env["XDG_DATA_HOME"] || join(homedir(), ".local/share"),
      ...(list("XDG_DATA_DIRS") ?? []),
      "/usr/local/share",
      "/usr/share",
      "/run/opengl-driver/share",
    ],
  ].map((folder) => join(folder, "vulkan/icd.d"));
  const inside = (path: string): readonly string[] => {
    try {
      return fs.statSync(path).isDirectory()
        ? fs
            .readdirSync(path)
            .sort()
            .flatMap((name) => (name.endsWith(".json") ? [join(path, name)] : []))
        : [path];
    } catch {
      return [];
    }
  };
  return [...new Set([...(chosen ?? folders), ...(list("VK_ADD_DRIVER_FILES") ?? [])].flatMap(inside))];
}

/**
 * Runs `body` while the embedded driver is the one that Vulkan finds.
 * The loader reads its environment whenever an instance is made, so setting it here is early enough. Where the system has no loader, ours is
 * loaded before Dawn asks for `libvulkan.so.1`, which then finds it by that name. Both are of this process: no restart is needed.
 * In a worker thread `process.env` is a copy that native code does not see: there the main thread has to have chosen.
 */
async function withDriver<T>(driver: EmbeddedDriver, body: () => Promise<T>): Promise<T> {
  if (!(await loadLibrary("libvulkan.so.1"))) await loadLibrary(driver.loader);
  const names = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] as const; // the second for loaders before 1.3.207
  const before = names.map((name) => process.env[name]);
  for (const name of names) process.env[name] = driver.manifest;
  try {
    return await body();
  } finally {
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
  }
}

/** Loads a shared library for good; says whether it is there. */
async function loadLibrary(path: string): Promise<boolean> {
  const { constants } = process.getBuiltinModule("node:os");
  const keepLoaded = 0x1000; // RTLD_NODELETE, which Node does not name: it closes what turns out to be no addon
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | keepLoaded);
    return true;
  } catch (error) {
    // it is loaded, and as expected no addon: so say Node and Bun
    return /^Module did not self-register|not found in native module/.test(messageOf(error));
  }
}
