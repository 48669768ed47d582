// Kernels that differ only in numbers are one module, which reads the numbers from a uniform buffer: a driver compiles it once. What this saves
// is weighed against what each run loses: numbers that are read, and divisions by numbers that the driver does not know.
import type { Command, Dispatch, Launch, Plan, PlanModule, PlanProgram } from "../../runtime/plan.ts";
import type { Target } from "../kernel/target.ts";
import { encodeBase64 } from "./base64.ts";
import { call, calls, mapArgs, member, name, negate, type Expr } from "../kernel/expr.ts";
import { countNames, expressionsOf, mapExpressions, type Module, type Statement } from "../kernel/ir.ts";
import { bindingAlignment } from "../kernel/sizes.ts";
import { elements } from "../scalar/dtype.ts";
import { printModule, subgroupEdits } from "../wgsl/print.ts";
import { canonicalModule } from "./canonical.ts";
import type { Launched } from "./commands.ts";
import type { ModuleUse } from "./modules.ts";
import type { Planned } from "./plan.ts";
import type { Compiled } from "./unit.ts";

/** A number of a kernel that might as well be read from memory, without its sign. */
interface Literal {
  readonly expr: Expr;
  readonly divides: boolean;
}
interface Member {
  readonly module: number;
  readonly literals: readonly Literal[];
}
/** Places of a family's kernels that hold the same number in each member. */
interface Column {
  readonly places: readonly number[]; // among the literals
  readonly numbers: readonly Expr[]; // by member
  readonly divides: boolean;
}

/** The plan with fewer modules, and its programs with their new numbers. Modules without an entry in `uses` stay as they are. */
export function share(
  { plan, modules, programs }: Planned,
  target: Target,
): { readonly plan: Plan; readonly programs: readonly Compiled[] } {
  const shared = shareModules(plan, modules.trees, modules.uses, target);
  const launched = (l: Launched): Launched => ({ ...l, module: shared.moduleOf[l.module]! });
  return { plan: shared.plan, programs: programs.map((p) => ({ ...p, lowered: p.lowered.map(launched) })) };
}
/** The plan with fewer modules, each with its code, and which of them each old one became. Modules without an entry in `uses` stay as they are. */
export function shareModules(
  plan: Plan,
  trees: readonly Module[],
  uses: ReadonlyMap<number, ModuleUse>,
  target: Target,
): { readonly plan: Plan; readonly moduleOf: readonly number[] } {
  const shared = [...trees];
  const places = new Map<number, { readonly offset: number; readonly bytes: number }>();
  const leader = trees.map((_, i) => i);
  const words: number[] = [];
  for (const members of familiesOf(trees, uses)) {
    const family = worthSharing(members, uses, target);
    if (!family.length) continue;
    const columns = columnsOf(family);
    const first = family[0]!.module;
    const names = family.map((m) => plan.modules[m.module]!.name);
    shared[first] = sharedModule(trees[first]!, columns, names);
    family.forEach(({ module }, m) => {
      leader[module] = first;
      places.set(module, { offset: wordBytes * words.length, bytes: wordBytes * columns.length });
      words.push(...columns.map((c) => wordOf(c.numbers[m]!)));
      while (words.length % (bindingAlignment / wordBytes)) words.push(0);
    });
  }
  const kept = leader.flatMap((first, i) => (first === i ? [i] : []));
  const moduleOf = leader.map((first) => kept.indexOf(first));
  const modules = kept.map((i): PlanModule => {
    const subgroups = target.class === "gpu" ? subgroupEdits(shared[i]!) : undefined;
    return { ...plan.modules[i]!, code: printModule(shared[i]!), ...(subgroups ? { subgroups } : {}) };
  });
  if (!words.length) return { plan: { ...plan, modules }, moduleOf };
  const buffer = plan.buffers.length;
  const launch = <T extends Launch>(d: T): T => {
    const place = places.get(d.module);
    const numbers = place && ({ binding: d.bindings.length, buffer, ...place, access: "uniform" } as const);
    return { ...d, module: moduleOf[d.module]!, bindings: numbers ? [...d.bindings, numbers] : d.bindings };
  };
  const changed = (c: Command): Command => {
    if (c.kind === "loop") return { ...c, body: c.body.map(changed) };
    if (c.kind === "copy") return c;
    return eachWay(launch(c), launch);
  };
  const numbers = {
    label: "numbers",
    role: "constant",
    bytes: wordBytes * words.length,
    data: encodeBase64(new Uint8Array(Int32Array.from(words).buffer)),
  } as const;
  const smaller = { ...plan, buffers: [...plan.buffers, numbers], modules };
  return { plan: mapPrograms(smaller, (p) => ({ ...p, commands: p.commands.map(changed) })), moduleOf };
}
const wordBytes = elements.i32.bytes;
/** With its alternatives' dispatches changed. */
function eachWay(d: Dispatch, f: (d: Launch) => Launch): Dispatch {
  if (!d.alternatives) return d;
  const ways = d.alternatives.ways.map((w) => ({ ...w, dispatches: w.dispatches.map(f) }));
  return { ...d, alternatives: { ...d.alternatives, ways } };
}

function familiesOf(modules: readonly Module[], uses: ReadonlyMap<number, ModuleUse>): Member[][] {
  const families = new Map<string, Member[]>();
  modules.forEach((m, module) => {
    if (!uses.has(module)) return;
    const literals: Literal[] = [];
    const blank = mapLiterals(m, (literal) => {
      literals.push(literal);
      const { type } = literal.expr;
      return call(`#${type.element}`, [], type); // nothing that WGSL has
    });
    const key = canonicalModule(blank);
    families.set(key, [...(families.get(key) ?? []), { module, literals }]);
  });
  return [...families.values()].filter((f) => f.length > 1);
}
/** The module with other numbers in its entry point, but where WGSL wants a constant: shifts, lanes; and but for divisors in loops. */
function mapLiterals(m: Module, f: (literal: Literal) => Expr): Module {
  const isIncrement = (s: Statement, e: Expr): boolean =>
    s.kind === "for" && e === s.step && (e.text === "1" || e.text === "1u"); // written `++`
  let changes = 0;
  const own = (literal: Literal): Expr => {
    const e = f(literal);
    if (e !== literal.expr) changes++;
    return e;
  };
  const block = (body: readonly Statement[], inLoop: boolean): Statement[] =>
    body.flatMap((s): readonly Statement[] => {
      const within = inLoop || s.kind === "for";
      const before = changes;
      const made = expressionsOf(s).some((e) => calls(e, (fn) => fn.startsWith("subgroup")))
        ? s
        : mapExpressions(s, (e) => (isIncrement(s, e) ? e : go(e, within)));
      if (!("body" in made)) return [made];
      const inside = block(made.body, within);
      if (made.kind !== "exchange") return [{ ...made, body: inside }];
      return changes > before ? inside : [made]; // its other form has the numbers of one kernel; where these are the same, the other form is, too
    });
  const go = (e: Expr, inLoop: boolean): Expr => {
    if (e.op === "number") return isPlain(e) ? withSign(e, (expr) => own({ expr, divides: false })) : e;
    const shifts = e.op === "<<" || e.op === ">>";
    const divides = e.op === "/" || e.op === "%";
    return mapArgs(e, (a, i) => {
      if (i === 1 && a.op === "number" && shifts) return a;
      if (i === 1 && divides && isWhole(a)) return inLoop ? a : own({ expr: a, divides });
      return go(a, inLoop);
    });
  };
  return { ...m, body: block(m.body, false) };
}
/** Written in decimal digits, by a name that says no type. */
const isPlain = ({ text, type }: Expr): boolean =>
  type.element !== "bool" && !text.includes("x") && !text.endsWith("i");
const isWhole = (e: Expr): boolean =>
  e.op === "number" && e.type.element !== "f32" && isPlain(e) && !e.text.startsWith("-");
const withSign = (e: Expr, f: (e: Expr) => Expr): Expr =>
  e.text.startsWith("-") ? negate(f({ ...e, text: e.text.slice(1) })) : f(e);
/** What differs between the members. */
function columnsOf(members: readonly Member[]): Column[] {
  const columns = new Map<string, Column>();
  members[0]!.literals.forEach(({ divides, expr }, i) => {
    const numbers = members.map((m) => m.literals[i]!.expr);
    if (numbers.every((x) => x.text === expr.text)) return;
    const key = `${expr.type.element} ${numbers.map((x) => x.text).join(" ")}`;
    const known = columns.get(key);
    columns.set(key, {
      places: [...(known?.places ?? []), i],
      numbers,
      divides: divides || known?.divides === true,
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

function wordOf({ text, type }: Expr): number {
  return elements[type.element].bits(Number(type.element === "u32" ? text.slice(0, -1) : text));
}
/** The first member with names in place of the numbers. */
function sharedModule(m: Module, columns: readonly Column[], members: readonly string[]): Module {
  const taken = new Set(namesOf(m));
  const free = (name: string): string => (taken.has(name) ? free(`${name}_`) : name);
  const numbers = free("differing");
  const names = columns.map((c, k) => name(free(`n${k + 1}`), c.numbers[0]!.type));
  const nameOf = new Map(columns.flatMap((c, k) => c.places.map((i) => [i, names[k]!] as const)));
  let at = 0;
  const { body } = mapLiterals(m, ({ expr }) => nameOf.get(at++) ?? expr);
  const listed = (texts: readonly string[]): string =>
    texts.length > mostListed ? `${texts.slice(0, mostListed).join(", ")}, ...` : texts.join(", ");
  return {
    ...m,
    numbers: {
      comment: `numbers that differ between ${listed(members)}; the formulas above have those of ${members[0]!}`,
      type: free("Differing"),
      name: numbers,
      fields: columns.map((c, k) => ({
        name: names[k]!.text,
        type: names[k]!.type.element,
        comment: listed(c.numbers.map((x) => x.text)),
      })),
    },
    body: [
      ...names.map(({ text, type }): Statement => {
        const value = member(name(numbers, type), text, type);
        return { kind: "let", name: text, value, cost: "none", pinned: true };
      }),
      ...body,
    ],
  };
}
function namesOf(m: Module): string[] {
  const uses = new Map<string, number>();
  countNames(m.body, uses);
  const declared = (block: readonly Statement[]): string[] =>
    block.flatMap((s) => [
      ...(s.kind === "let" || s.kind === "var" ? [s.name] : s.kind === "for" ? [s.variable] : []),
      ...("body" in s ? declared(s.body) : []),
      ...(s.kind === "exchange" ? declared(s.direct) : []),
    ]);
  return [...uses.keys(), ...declared(m.body), ...[...m.bindings, ...m.memory].map((d) => d.name), ...m.overrides];
}
const mostListed = 8;

function mapPrograms(plan: Plan, f: (p: PlanProgram) => PlanProgram): Plan {
  return {
    ...plan,
    ...(plan.init ? { init: { ...plan.init, program: f(plan.init.program) } } : {}),
    trains: plan.trains.map((t) => ({
      ...t,
      init: f(t.init),
      ...(t.begin ? { begin: f(t.begin) } : {}),
      step: f(t.step),
      ...(t.evaluate ? { evaluate: { ...t.evaluate, rows: f(t.evaluate.rows), finish: f(t.evaluate.finish) } } : {}),
    })),
    exports: plan.exports.map((x) => ({ ...x, program: f(x.program) })),
    datasets: plan.datasets.map((d) => ({
      ...d,
      ...(d.check ? { check: { ...d.check, program: f(d.check.program) } } : {}),
      ...(d.view ? { view: { ...d.view, program: f(d.view.program) } } : {}),
    })),
  };
}
