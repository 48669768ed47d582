// Kernels that differ only in numbers are one module, which reads the numbers from a uniform buffer: a driver compiles it once. What this saves
// is weighed against what each run loses: numbers that are read, and divisions by numbers that the driver does not know.
import type { Command, Plan, PlanModule, PlanProgram } from "../../runtime/plan.ts";
import type { Target } from "../kernel/target.ts";
import { encodeBase64 } from "./base64.ts";
import { canonicalModule } from "./canonical.ts";
import type { Launched } from "./commands.ts";
import type { ModuleUse } from "./modules.ts";
import type { Planned } from "./plan.ts";
import type { Compiled } from "./unit.ts";

/** A number in the text of a kernel that might as well be read from memory. */
interface Literal {
  readonly at: number;
  readonly text: string;
  readonly kind: "i32" | "u32" | "f32";
  readonly divides: boolean;
}
interface Member {
  readonly module: number;
  readonly literals: readonly Literal[];
}
/** Places of a family's text that hold the same number in each member. */
interface Column {
  readonly places: readonly number[]; // among the literals
  readonly texts: readonly string[]; // by member
  readonly kind: Literal["kind"];
  readonly divides: boolean;
}

/** The plan with fewer modules, and its programs with their new numbers. Modules without an entry in `uses` stay as they are. */
export function share(
  { plan, programs, uses }: Planned,
  target: Target,
): { readonly plan: Plan; readonly programs: readonly Compiled[] } {
  const shared = shareModules(plan, uses, target);
  const launched = (l: Launched): Launched => ({ ...l, module: shared.moduleOf[l.module]! });
  return { plan: shared.plan, programs: programs.map((p) => ({ ...p, lowered: p.lowered.map(launched) })) };
}
/** ..., and which of them each old one became. */
export function shareModules(
  plan: Plan,
  uses: ReadonlyMap<number, ModuleUse>,
  target: Target,
): { readonly plan: Plan; readonly moduleOf: readonly number[] } {
  const codes = plan.modules.map((m) => m.code!);
  const places = new Map<number, { readonly offset: number; readonly bytes: number }>();
  const leader = plan.modules.map((_, i) => i);
  const words: number[] = [];
  for (const members of familiesOf(plan.modules, uses)) {
    const family = worthSharing(members, uses, target);
    if (!family.length) continue;
    const columns = columnsOf(family);
    const first = family[0]!.module;
    codes[first] = sharedCode(family, columns, plan.modules);
    family.forEach(({ module }, m) => {
      leader[module] = first;
      places.set(module, { offset: 4 * words.length, bytes: 4 * columns.length });
      words.push(...columns.map((c) => wordOf(c.texts[m]!, c.kind)));
      while (words.length % (bindingAlignment / 4)) words.push(0);
    });
  }
  const kept = leader.flatMap((first, i) => (first === i ? [i] : []));
  const moduleOf = leader.map((first) => kept.indexOf(first));
  if (!words.length) return { plan, moduleOf };
  const buffer = plan.buffers.length;
  const changed = (c: Command): Command => {
    if (c.kind === "loop") return { ...c, body: c.body.map(changed) };
    if (c.kind === "copy") return c;
    const place = places.get(c.module);
    return {
      ...c,
      module: moduleOf[c.module]!,
      bindings: place
        ? [...c.bindings, { binding: c.bindings.length, buffer, ...place, access: "uniform" }]
        : c.bindings,
    };
  };
  const numbers = {
    label: "numbers",
    role: "constant",
    bytes: 4 * words.length,
    data: encodeBase64(new Uint8Array(Int32Array.from(words).buffer)),
  } as const;
  const smaller = {
    ...plan,
    buffers: [...plan.buffers, numbers],
    modules: kept.map((i) => ({ ...plan.modules[i]!, code: codes[i]! })),
  };
  return { plan: mapPrograms(smaller, (p) => ({ ...p, commands: p.commands.map(changed) })), moduleOf };
}
const bindingAlignment = 256; // bytes
const digits = { i32: "#1", u32: "#2", f32: "#3" } as const; // in place of a literal

function familiesOf(modules: readonly PlanModule[], uses: ReadonlyMap<number, ModuleUse>): Member[][] {
  const families = new Map<string, Member[]>();
  modules.forEach(({ code }, module) => {
    if (!uses.has(module)) return;
    const literals = literalsOf(code!);
    const key = canonicalModule(replaced(code!, literals, (_, i) => digits[literals[i]!.kind]));
    families.set(key, [...(families.get(key) ?? []), { module, literals }]);
  });
  return [...families.values()].filter((f) => f.length > 1);
}
const literal = /(?<![\w.@#]|p[-+])\d+(?:\.\d*)?(?:e[-+]?\d+)?[fu]?(?![\w.])/g;
/** Decimal numbers of the entry point, but where WGSL wants a constant: counts of elements, shifts, lanes; and but for divisors in loops. */
function literalsOf(code: string): Literal[] {
  const found: Literal[] = [];
  let at = code.indexOf("\nfn main(") + 1;
  const loops: string[] = []; // how far the lines that open them are indented
  for (const line of code.slice(at).split("\n")) {
    const indent = /^ */.exec(line)![0];
    const opens = line.startsWith("for (", indent.length);
    if (line.trim() === "}" && loops[loops.length - 1] === indent) loops.pop();
    if (opens) loops.push(indent);
    const end = line.indexOf("//");
    const text = end < 0 ? line : line.slice(0, end);
    if (!text.startsWith("fn ") && !/\b(subgroup|array<|switch|case)/.test(text))
      for (const m of text.matchAll(literal)) {
        const before = text.slice(0, m.index);
        const kind = m[0].endsWith("u") ? "u32" : /[.ef]/.test(m[0]) ? "f32" : "i32";
        const divides = kind !== "f32" && /[/%] $/.test(before);
        if (/(<<|>>) $/.test(before) || (divides && loops.length)) continue;
        found.push({ at: at + m.index, text: m[0], kind, divides });
      }
    at += line.length + 1;
  }
  return found;
}
function replaced(code: string, literals: readonly Literal[], by: (text: string, i: number) => string): string {
  let result = "";
  let from = 0;
  literals.forEach(({ at, text }, i) => {
    result += code.slice(from, at) + by(text, i);
    from = at + text.length;
  });
  return result + code.slice(from);
}
/** What differs between the members. */
function columnsOf(members: readonly Member[]): Column[] {
  const columns = new Map<string, Column>();
  members[0]!.literals.forEach(({ kind }, i) => {
    const own = members.map((m) => m.literals[i]!);
    if (own.every((x) => x.text === own[0]!.text)) return;
    const texts = own.map((x) => x.text);
    const key = `${kind} ${texts.join(" ")}`;
    const known = columns.get(key);
    columns.set(key, {
      places: [...(known?.places ?? []), i],
      texts,
      kind,
      divides: own[0]!.divides || known?.divides === true,
    });
  });
  return [...columns.values()];
}
/** The members whose own compilation is dearer than what their runs lose, if together they gain: one of them is compiled all the same. */
function worthSharing(
  members: readonly Member[],
  uses: ReadonlyMap<number, ModuleUse>,
  target: Target,
): readonly Member[] {
  const columns = columnsOf(members);
  const gain = ({ module }: Member): number => 1e6 * (uses.get(module)!.compileMs + target.compile.module);
  const loss = ({ module }: Member): number => lossNs(columns, uses.get(module)!, target);
  const own = members.filter((m) => loss(m) < gain(m));
  const gained = own.reduce((sum, m) => sum + gain(m) - loss(m), 0) - Math.max(0, ...own.map(gain));
  return gained > 0 ? own : [];
}
const lossNs = (columns: readonly Column[], use: ModuleUse, { ns, cores }: Target): number =>
  (use.starts / cores) * (columns.length * ns.number + columns.filter((c) => c.divides).length * ns.divideBy);

function wordOf(text: string, kind: Column["kind"]): number {
  const value = Number(text.replace(/[fu]$/, ""));
  return kind === "f32" ? new Int32Array(Float32Array.of(value).buffer)[0]! : value | 0;
}
/** The text of the first member, with names in place of the numbers. */
function sharedCode(family: readonly Member[], columns: readonly Column[], modules: readonly PlanModule[]): string {
  const [{ module, literals }] = family as [Member];
  const code = modules[module]!.code!;
  const taken = new Set(code.match(/[A-Za-z_]\w*/g));
  const free = (name: string): string => (taken.has(name) ? free(`${name}_`) : name);
  const variable = free("differing");
  const type = free("Differing");
  const names = columns.map((_, k) => free(`n${k + 1}`));
  const nameOf = new Map(columns.flatMap((c, k) => c.places.map((i) => [i, names[k]!] as const)));
  const body = replaced(code, literals, (text, i) => nameOf.get(i) ?? text);
  const binding = (code.match(/^@group\(0\) @binding/gm) ?? []).length;
  const members = family.map((m) => modules[m.module]!.name);
  const listed = (texts: readonly string[]): string =>
    texts.length > mostListed ? `${texts.slice(0, mostListed).join(", ")}, ...` : texts.join(", ");
  const declaration = [
    `// numbers that differ between ${listed(members)}; the formulas above have those of ${members[0]!}`,
    `struct ${type} {`,
    ...columns.map((c, k) => `  ${names[k]}: ${c.kind}, // ${listed(c.texts)}`),
    "}",
    `@group(0) @binding(${binding}) var<uniform> ${variable}: ${type};`,
  ];
  const lines = body.split("\n");
  const lastBinding = lines.findLastIndex((line) => line.startsWith("@group(0)"));
  const main = lines.findIndex((line) => line.startsWith("fn main("));
  const reads = names.map((name) => `  let ${name} = ${variable}.${name};`);
  return [
    ...lines.slice(0, lastBinding + 1),
    ...declaration,
    ...lines.slice(lastBinding + 1, main + 1),
    ...reads,
    ...lines.slice(main + 1),
  ].join("\n");
}
const mostListed = 8;

function mapPrograms(plan: Plan, f: (p: PlanProgram) => PlanProgram): Plan {
  return {
    ...plan,
    ...(plan.init ? { init: { ...plan.init, program: f(plan.init.program) } } : {}),
    trains: plan.trains.map((t) => ({
      ...t,
      init: f(t.init),
      step: f(t.step),
      ...(t.evaluate ? { evaluate: { ...t.evaluate, rows: f(t.evaluate.rows), finish: f(t.evaluate.finish) } } : {}),
    })),
    exports: plan.exports.map((x) => ({ ...x, program: f(x.program) })),
    datasets: plan.datasets.map((d) => (d.check ? { ...d, check: { ...d.check, program: f(d.check.program) } } : d)),
  };
}
