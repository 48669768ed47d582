// A WebGPU device and what it is. In: an adapter, of Node (node.ts) or of a browser.   Out: a device with all of the adapter's limits, and facts for people.
import { messageOf, RuntimeProblem } from "./problem.ts";
import type { Adapter, AdapterInfo, Device } from "./platform.ts";

export type DeviceClass = "gpu" | "system" | "embedded" | "browser";
export const classTexts: Readonly<Record<DeviceClass, string>> = {
  gpu: "GPU",
  system: "software device of the system",
  embedded: "embedded software device",
  browser: "device of the browser",
};

export interface DeviceFacts {
  readonly class: DeviceClass;
  readonly name: string; // "llvmpipe: Mesa 25.0.7", as the driver has it
  readonly vendor: string;
  readonly architecture: string;
  readonly subgroupSize?: { readonly least: number; readonly most: number };
  readonly fallback?: boolean; // slower than what others have: a program, mostly
  readonly features: readonly string[]; // requested: those that kernels can use
  readonly limits: Readonly<Record<string, number>>;
}
const usefulFeatures: readonly GPUFeatureName[] = ["subgroups", "timestamp-query", "shader-f16"];

/** A device with everything that the adapter offers and kernels can use. One adapter gives one device. */
export async function requestDevice(
  adapter: Adapter,
  deviceClass: DeviceClass,
): Promise<{ readonly device: Device; readonly facts: DeviceFacts }> {
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[name]; // GPUSupportedLimits has no index signature
    if (typeof value === "number") limits[name] = value;
  }
  const features = usefulFeatures.filter((name) => adapter.features.has(name));
  const device = await adapter.requestDevice({ requiredLimits: limits, requiredFeatures: features });
  return { device, facts: factsOf(adapter, deviceClass, features, limits) };
}
/** What an adapter, or the device that somebody else got of one, says of itself. */
export function factsOf(
  of: { readonly info: AdapterInfo; readonly features: { readonly has: (name: string) => boolean } },
  deviceClass: DeviceClass,
  features: readonly string[] = [],
  limits: Readonly<Record<string, number>> = {},
): DeviceFacts {
  const { vendor, architecture, description, device, subgroupMinSize, subgroupMaxSize, isFallbackAdapter } = of.info;
  const hasSubgroups = of.features.has("subgroups") && subgroupMaxSize;
  return {
    class: deviceClass,
    name: description || device || architecture || vendor || "unnamed",
    vendor,
    architecture,
    ...(hasSubgroups ? { subgroupSize: { least: subgroupMinSize, most: subgroupMaxSize } } : {}),
    ...(isFallbackAdapter ? { fallback: true } : {}),
    features,
    limits,
  };
}

/** `SwiftShader driver 5.0.0 (embedded software device, subgroups of 4)` */
export function deviceText(facts: DeviceFacts): string {
  return `${facts.name} (${classTexts[facts.class]}, ${subgroupText(facts)})`;
}
export function subgroupText({ subgroupSize }: DeviceFacts): string {
  if (!subgroupSize) return "no subgroups";
  return `subgroups of ${subgroupSize.least === subgroupSize.most ? subgroupSize.most : `${subgroupSize.least} to ${subgroupSize.most}`}`;
}

/** The browser's device. */
export async function browserDevice(): Promise<{
  readonly device: Device;
  readonly facts: DeviceFacts;
  readonly close: () => void;
}> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu; // not in every browser, whatever the type says
  if (!gpu) {
    const secure = globalThis.isSecureContext ? "" : " (WebGPU needs https, or http on localhost)";
    throw new RuntimeProblem(
      `this browser has no WebGPU${secure}. Chrome and Edge have it from 113, Safari from 26, Firefox from 141 on Windows`,
    );
  }
  try {
    const adapter =
      (await gpu.requestAdapter({ powerPreference: "high-performance" })) ??
      (await gpu.requestAdapter({ forceFallbackAdapter: true }));
    if (!adapter)
      throw new RuntimeProblem("this browser has WebGPU, and no GPU that it may use: hardware acceleration may be off");
    const opened = await requestDevice(adapter, "browser");
    return { ...opened, close: () => opened.device.destroy() };
  } catch (error) {
    if (error instanceof RuntimeProblem) throw error;
    throw new RuntimeProblem(`the browser gave no WebGPU device: ${messageOf(error)}`);
  }
}
