// Which of a compiled model's targets a device takes. In: what an adapter says of itself.   Out: names of targets, the best first.
import type { DeviceFacts } from "./device.ts";

type Adapter = Pick<DeviceFacts, "class" | "name" | "vendor" | "architecture" | "subgroupSize" | "fallback">;

/** Devices that are programs, by the words of their drivers, with a target of their own where their subgroups are so wide. */
const programs: readonly { readonly words: RegExp; readonly target?: string; readonly lanes?: number }[] = [
  { words: /swiftshader/, target: "swiftshader", lanes: 4 },
  { words: /llvmpipe|lavapipe/, target: "lavapipe", lanes: 8 },
  { words: /softpipe|\bwarp\b|basic render|software/ },
];
const wordsOf = ({ name, vendor, architecture }: Adapter): string => `${name} ${architecture} ${vendor}`.toLowerCase();

/** Is it a program on the CPU? Browsers do not say so of each. */
export function isSoftware(device: Adapter): boolean {
  if (device.class === "system" || device.class === "embedded" || device.fallback) return true;
  return device.class === "browser" && programs.some(({ words }) => words.test(wordsOf(device)));
}
const vendors = {
  nvidia: { words: /nvidia|geforce|quadro/, id: 0x10de },
  amd: { words: /\bamd\b|radeon|radv/, id: 0x1002 },
  intel: { words: /intel/, id: 0x8086 },
} as const;
/** AMD's GPUs beside a CPU. Where a browser gives no name it may be either: kernels for cards lose less there than the other way round. */
const besideCpu = [
  /renoir|cezanne|van ?gogh|rembrandt|raphael|mendocino|phoenix|strix|raven|picasso/,
  /\b\d{3}m\b|vega \d\d? graphics|radeon(\(tm\))? graphics/,
];
/** Has it memory of its own, and dozens of cores? */
function isCard(device: Adapter): boolean {
  const words = wordsOf(device);
  const number = device.vendor.toLowerCase(); // of the vendor on the PCI bus, as some browsers have it
  const is = (name: keyof typeof vendors): boolean => {
    const { words: known, id } = vendors[name];
    return known.test(words) || [String(id), id.toString(16), `0x${id.toString(16)}`].includes(number);
  };
  if (is("nvidia")) return !/tegra|orin|xavier/.test(words);
  if (is("amd")) return !besideCpu.some((known) => known.test(words));
  return is("intel") && /\bxe-?\d?hpg|\bdg2\b|battlemage|arc(\(tm\))? (pro )?[ab]\d{2,3}\b/.test(words);
}
/** A device runs kernels of any target: those behind the first cost time. */
export function targetsFor(device: Adapter): readonly string[] {
  const gpus = isCard(device) ? ["discrete", "integrated"] : ["integrated", "discrete"];
  if (!isSoftware(device)) return [...gpus, "software"];
  const words = wordsOf(device);
  const { subgroupSize } = device;
  const own = programs.filter(
    (p) => p.target && p.words.test(words) && subgroupSize?.least === p.lanes && subgroupSize?.most === p.lanes,
  );
  return [...own.map(({ target }) => target!), "software", ...gpus];
}
