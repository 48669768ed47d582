// From a WGSL module to a JavaScript function that runs a workgroup, all its lanes in step: every variable is an array over the lanes, every statement a
// loop over the lanes that its mask lets in. Functions are written out where they are called, so a loop or an access is known by its place in the whole.
// In: the module (wgsl.mjs), its entry point, and the memory (walk.mjs), which counts.   Out: run(workgroup, workgroups).
import {
  arithmetic,
  binaryCalls,
  convert,
  helpers,
  isAbstract,
  isFloat,
  number,
  ternaryCalls,
  unaryFloat,
  unaryInt,
  wrap,
} from "./scalars.mjs";
import { leavesOf, offsetOf, scalar, sizeOf, strideOf, vector } from "./wgsl.mjs";

const letters = { x: 0, y: 1, z: 2, w: 3, r: 0, g: 1, b: 2, a: 3 };

const scalarOf = (t) => (t.kind === "scalar" ? t.name : t.of?.name);
const like = (t, name) => (t.kind === "vector" ? vector(t.n, scalar(name)) : scalar(name));

/** Does a statement leave its loop or function? */
const escapes = (list) =>
  list.some((s) =>
    ["break", "continue", "return"].includes(s.kind)
      ? true
      : s.kind === "if"
        ? escapes(s.then) || escapes(s.otherwise)
        : s.kind === "block" || s.kind === "loop"
          ? escapes(s.body)
          : s.kind === "switch"
            ? s.cases.some((c) => escapes(c.body))
            : false,
  );

class Generator {
  constructor(module, lanes, memory) {
    Object.assign(this, { module, lanes, memory, out: [], arrays: [], count: 0, loop: -1, depth: 0 });
    this.sharedNames = new Map();
    this.privateNames = new Map();
  }
  fail(what) {
    throw new Error(`not walked: ${what}`);
  }
  array(kind, size) {
    const name = `${kind[0].toLowerCase()}${this.count++}`;
    this.arrays.push(`const ${name}=new ${kind}(${size});`);
    return name;
  }
  mask() {
    return this.array("Uint8Array", this.lanes);
  }
  /** A loop over the lanes that are in; `make` gives what each does. */
  each(make) {
    const own = { before: [], sites: [] };
    const text = make(own);
    for (const s of own.sites) this.out.push(`${s.addresses}.fill(-1);`);
    this.out.push(`for(let l=0;l<${this.lanes};l++){if(!${this.active}[l])continue;${own.before.join("")}${text}}`);
    for (const s of own.sites) this.out.push(`mem.access(mem.sites[${s.number}],${s.addresses});`);
  }
  variable(type, space = "lane") {
    const words = Math.max(1, Math.ceil(sizeOf(type) / 4));
    if (space === "workgroup") return { space, name: this.array("Float64Array", words), type, words, data: false };
    return { space, name: this.array("Float64Array", this.lanes * words), type, words, data: false };
  }
  site(own, kind, space, bytes, index, address) {
    const n = this.memory.sites.length;
    this.memory.sites.push({
      kind,
      space,
      bytes,
      index,
      loop: this.loop,
      times: 0,
      active: 0,
      lines: 0,
      segments: 0,
      turns: 0,
      least: 0,
    });
    const addresses = this.array("Float64Array", this.lanes);
    own.sites.push({ number: n, addresses });
    own.before.push(`${addresses}[l]=${address};`);
  }

  // ---- references and values

  lookup(name) {
    for (let s = this.scope; s; s = s.outer) if (s.names.has(name)) return s.names.get(name);
    return undefined;
  }
  global(name) {
    const g = this.module.globals.get(name);
    if (!g) return undefined;
    if (g.space === "private" || g.space === "workgroup") {
      const table = g.space === "private" ? this.privateNames : this.sharedNames;
      if (!table.has(name)) table.set(name, this.variable(g.type, g.space === "private" ? "lane" : "workgroup"));
      return { variable: table.get(name), type: g.type, at: "0" };
    }
    const index = this.memory.binding(g.group ?? 0, g.binding);
    const known = this.memory.bindings[index].words !== undefined;
    return { variable: { space: g.space, index, data: !known && g.space === "storage", known }, type: g.type, at: "0" };
  }
  reference(e, own) {
    switch (e.kind) {
      case "name": {
        const found = this.lookup(e.name);
        if (found)
          return (
            found.pointer ??
            (found.variable ? { variable: found.variable, type: found.variable.type, at: "0" } : undefined)
          );
        return this.global(e.name);
      }
      case "unary":
        if (e.op === "*" || e.op === "&") return this.reference(e.of, own);
        return undefined;
      case "index": {
        const of = this.reference(e.of, own);
        if (!of) return undefined;
        const i = this.value(e.index, own);
        const t = of.type;
        const [type, words] =
          t.kind === "vector"
            ? [t.of, 1]
            : t.kind === "matrix"
              ? [vector(t.rows, t.of), t.rows === 2 ? 2 : 4]
              : t.kind === "array"
                ? [t.of, strideOf(t) / 4]
                : this.fail("an index of a struct");
        let at = i.c[0];
        const count = t.kind === "array" ? t.count : t.n;
        if (number(at) === undefined) {
          const clamped = `i${this.count++}`;
          own.before.push(`const ${clamped}=Math.max(0,${count ? `Math.min(${count - 1},${at})` : at});`);
          at = clamped;
        }
        return {
          variable: of.variable,
          type,
          at: arithmetic("+", "int", of.at, arithmetic("*", "int", at, String(words))),
          data: i.data || of.data,
        };
      }
      case "member": {
        const of = this.reference(e.of, own);
        if (!of) return undefined;
        if (of.type.kind === "struct") {
          const field = of.type.fields.find((f) => f.name === e.name);
          return { ...of, type: field.type, at: arithmetic("+", "int", of.at, String(offsetOf(of.type, e.name) / 4)) };
        }
        if (e.name.length > 1) return undefined;
        return { ...of, type: of.type.of, at: arithmetic("+", "int", of.at, String(letters[e.name])) };
      }
      default:
        return undefined;
    }
  }
  read(r, own) {
    const { variable: v, type } = r;
    const leaves = leavesOf(type);
    const data = Boolean(v.data || r.data);
    const place = (at) => arithmetic("+", "int", r.at, String(at));
    if (v.space === "lane") return { type, c: leaves.map((x) => `${v.name}[l*${v.words}+${place(x.at)}]`), data };
    if (v.space === "workgroup") {
      this.site(own, "load", "workgroup", sizeOf(type), -1, `4*(${r.at})`);
      const c = leaves.map((x) => {
        const t = `t${this.count++}`;
        own.before.push(`const ${t}=${v.name}[${place(x.at)}];`);
        return t;
      });
      return { type, c, data };
    }
    const c = leaves.map((x) => {
      const at = place(x.at);
      if (v.space === "uniform" && v.known && number(at) !== undefined)
        return this.literal(this.memory.value(v.index, x.type, Number(at)));
      const t = `t${this.count++}`;
      own.before.push(`const ${t}=mem.value(${v.index},"${x.type}",${at});`);
      return t;
    });
    if (v.space !== "uniform")
      this.site(own, "load", "storage", sizeOf(type), v.index, this.clampedAddress(v, r.at, sizeOf(type)));
    return { type, c, data };
  }
  literal(x) {
    return Number.isInteger(x) && Math.abs(x) < 2 ** 32
      ? String(x)
      : Number.isFinite(x)
        ? `(${x})`
        : x > 0
          ? "Infinity"
          : x < 0
            ? "(-Infinity)"
            : "NaN";
  }
  clampedAddress(v, at, bytes) {
    const last = Math.max(0, this.memory.bindings[v.index].bytes - bytes);
    return `Math.min(${last},Math.max(0,4*(${at})))`;
  }
  write(r, texts, own) {
    const { variable: v, type } = r;
    const leaves = leavesOf(type);
    if (v.space === "lane")
      return leaves
        .map((x, i) => `${v.name}[l*${v.words}+${arithmetic("+", "int", r.at, String(x.at))}]=${texts[i]};`)
        .join("");
    if (v.space === "workgroup") {
      this.site(own, "store", "workgroup", sizeOf(type), -1, `4*(${r.at})`);
      return leaves.map((x, i) => `${v.name}[${arithmetic("+", "int", r.at, String(x.at))}]=${texts[i]};`).join("");
    }
    this.site(own, "store", "storage", sizeOf(type), v.index, this.clampedAddress(v, r.at, sizeOf(type)));
    return "";
  }

  // ---- expressions: { type, c: a text for each scalar, data: whether it depends on what kernels computed }

  value(e, own) {
    switch (e.kind) {
      case "number":
        return { type: e.type, c: [this.literal(e.value)], data: false };
      case "name": {
        const found = this.lookup(e.name);
        if (found?.constant) return found.constant;
        if (!found && this.module.constants.has(e.name)) {
          const c = this.module.constants.get(e.name);
          const v = this.value(c.value, own);
          return c.type ? this.converted(v, c.type) : v;
        }
        const r = this.reference(e, own);
        return r ? this.read(r, own) : this.fail(`the name ${e.name}`);
      }
      case "unary": {
        if (e.op === "&" || e.op === "*") return this.read(this.reference(e, own), own);
        const a = this.value(e.of, own);
        const name = scalarOf(a.type);
        const text = (x) =>
          e.op === "!"
            ? `(${x}?0:1)`
            : e.op === "~"
              ? wrap(name, `(~${x})`)
              : number(x) !== undefined && Number(x) !== 0
                ? `${-Number(x)}`
                : isFloat(name)
                  ? `(-${x})`
                  : wrap(name, `(-${x})`);
        return { type: a.type, c: a.c.map(text), data: a.data };
      }
      case "binary":
        return this.binary(e.op, this.value(e.a, own), this.value(e.b, own));
      case "index": {
        const r = this.reference(e, own);
        if (r) return this.read(r, own);
        const a = this.value(e.of, own);
        const i = this.value(e.index, own);
        const type = a.type.kind === "matrix" ? vector(a.type.rows, a.type.of) : a.type.of;
        const n = leavesOf(type).length;
        return {
          type,
          c: Array.from({ length: n }, (_, k) => `[${a.c.filter((_, j) => j % n === k).join(",")}][${i.c[0]}]`),
          data: a.data || i.data,
        };
      }
      case "member": {
        const r = this.reference(e, own);
        if (r) return this.read(r, own);
        const a = this.value(e.of, own);
        if (a.type.kind === "struct") {
          const at = offsetOf(a.type, e.name) / 4;
          const type = a.type.fields.find((f) => f.name === e.name).type;
          const first = leavesOf(a.type).findIndex((x) => x.at === at);
          return { type, c: a.c.slice(first, first + leavesOf(type).length), data: a.data };
        }
        const picked = [...e.name].map((x) => a.c[letters[x]]);
        return { type: picked.length === 1 ? a.type.of : vector(picked.length, a.type.of), c: picked, data: a.data };
      }
      case "bitcast": {
        const a = this.value(e.args[0], own);
        const [to, from] = [scalarOf(e.type), scalarOf(a.type)];
        const source = isAbstract(from) ? "i32" : from;
        if (sizeOf(e.type) !== a.c.length * 4) this.fail("a bitcast between sizes");
        return { type: e.type, c: a.c.map((x) => `bits("${to}","${source}",${x})`), data: a.data };
      }
      case "construct":
        return this.construct(e, own);
      case "call":
        return this.call(e, own);
      default:
        return this.fail(e.kind);
    }
  }
  converted(v, type) {
    const to = leavesOf(type);
    if (to.length !== v.c.length)
      return v.c.length === 1
        ? this.converted({ ...v, c: to.map(() => v.c[0]) }, type)
        : this.fail("a conversion between sizes");
    const from =
      v.type.kind === "struct" || v.type.kind === "array"
        ? leavesOf(v.type).map((x) => x.type)
        : to.map(() => scalarOf(v.type));
    return { type, c: v.c.map((x, i) => convert(to[i].type, from[i], x)), data: v.data };
  }
  binary(op, a, b) {
    if (a.type.kind === "matrix" || b.type.kind === "matrix") this.fail("a product of matrices");
    const [x, y] = [scalarOf(a.type), scalarOf(b.type)];
    const shift = op === "<<" || op === ">>";
    const name = shift || !isAbstract(x) ? x : x === "float" && y === "int" ? "float" : y;
    const n = Math.max(a.c.length, b.c.length);
    const wide = a.c.length >= b.c.length ? a.type : b.type;
    const pick = (v, i) => convert(name, shift ? name : scalarOf(v.type), v.c[v.c.length === 1 ? 0 : i]);
    const compares = ["==", "!=", "<", ">", "<=", ">="].includes(op);
    const logic = op === "&&" || op === "||" || (name === "bool" && (op === "&" || op === "|"));
    const text = (i) => {
      const [p, q] = [pick(a, i), pick(b, i)];
      if (compares) return `(${p}${op}${q}?1:0)`;
      if (logic) return `(${p}${op[0] + op[0]}${q}?1:0)`;
      return arithmetic(op, name, p, q);
    };
    const type = like(wide, compares || logic ? "bool" : name);
    return { type, c: Array.from({ length: n }, (_, i) => text(i)), data: a.data || b.data };
  }
  construct(e, own) {
    const parts = e.args.map((a) => this.value(a, own));
    const data = parts.some((p) => p.data);
    const t = e.type;
    if (t.kind === "scalar") {
      const name = t.name;
      if (!parts.length) return { type: t, c: ["0"], data };
      return { type: t, c: [convert(name, scalarOf(parts[0].type), parts[0].c[0])], data };
    }
    if (t.kind === "vector") {
      const of =
        t.of ?? scalar(parts.map((p) => scalarOf(p.type)).find((n) => !isAbstract(n)) ?? scalarOf(parts[0].type));
      const type = vector(t.n, of);
      if (!parts.length) return { type, c: Array(t.n).fill("0"), data };
      const all = parts.flatMap((p) => p.c.map((x) => convert(of.name, scalarOf(p.type), x)));
      return { type, c: all.length === 1 ? Array(t.n).fill(all[0]) : all, data };
    }
    if (t.kind === "array") {
      const of = t.of ?? parts[0].type;
      const type = { kind: "array", of, count: t.count ?? parts.length };
      if (!parts.length) return { type, c: leavesOf(type).map(() => "0"), data };
      return { type, c: parts.flatMap((p) => this.converted(p, of).c), data };
    }
    if (!parts.length) return { type: t, c: leavesOf(t).map(() => "0"), data };
    if (t.kind === "struct")
      return { type: t, c: parts.flatMap((p, i) => this.converted(p, t.fields[i].type).c), data };
    return { type: t, c: parts.flatMap((p) => p.c), data };
  }
  call(e, own) {
    const { name } = e;
    if (this.module.functions.has(name)) return this.inlined(this.module.functions.get(name), e.args, own);
    if (/^(workgroup|storage|texture|subgroup)Barrier$/.test(name)) {
      this.out.push("mem.barriers=(mem.barriers??0)+1;");
      return { type: scalar("i32"), c: ["0"], data: false };
    }
    if (name === "arrayLength") {
      const r = this.reference(e.args[0], own);
      return {
        type: scalar("u32"),
        c: [String(Math.floor(this.memory.bindings[r.variable.index].bytes / strideOf(r.type)))],
        data: false,
      };
    }
    if (name.startsWith("atomic")) {
      const r = this.reference(e.args[0], own);
      const old = this.read(r, own);
      for (const a of e.args.slice(1)) this.value(a, own);
      if (name !== "atomicLoad")
        own.before.push(
          this.write(
            { ...r },
            leavesOf(r.type).map(() => "0"),
            own,
          ),
        );
      return { ...old, data: true };
    }
    const args = e.args.map((a) => this.value(a, own));
    const data = args.some((a) => a.data);
    const [a] = args;
    if (name === "subgroupElect") return { type: scalar("bool"), c: [`(l%${this.memory.wave}===0?1:0)`], data: false };
    if (name.startsWith("subgroup") || name.startsWith("quad") || name === "workgroupUniformLoad") return a;
    const names = args.map((x) => scalarOf(x.type));
    const scalarName = names.find((n) => n !== undefined && !isAbstract(n)) ?? names[0];
    const n = Math.max(...args.map((x) => x.c.length));
    const wide = args.find((x) => x.c.length === n).type;
    const each = (text, type = like(wide, scalarName)) => ({
      type,
      c: Array.from({ length: n }, (_, i) => text(...args.map((x) => x.c[x.c.length === 1 ? 0 : i]))),
      data,
    });
    if (name === "select") {
      const kind = names.slice(0, 2).find((x) => !isAbstract(x)) ?? names[0];
      return {
        type: like(wide, kind),
        c: Array.from(
          { length: n },
          (_, i) =>
            `(${args[2].c[args[2].c.length === 1 ? 0 : i]}?${args[1].c[args[1].c.length === 1 ? 0 : i]}:${args[0].c[args[0].c.length === 1 ? 0 : i]})`,
        ),
        data,
      };
    }
    if (name === "dot") {
      const terms = a.c.map((x, i) => arithmetic("*", scalarName, x, args[1].c[i]));
      return { type: scalar(scalarName), c: [terms.reduce((p, q) => arithmetic("+", scalarName, p, q))], data };
    }
    if (name === "all") return { type: scalar("bool"), c: [`(${a.c.join("&&")}?1:0)`], data };
    if (name === "any") return { type: scalar("bool"), c: [`(${a.c.join("||")}?1:0)`], data };
    if (name === "length") return { type: scalar("f32"), c: [`Math.hypot(${a.c.join(",")})`], data };
    if (name in unaryFloat) return each((x) => (unaryFloat[name] ? `(${unaryFloat[name]}(${x}))` : x));
    if (name in unaryInt) return each((x) => (unaryInt[name] ? `(${unaryInt[name]}(${x}))` : x));
    if (name in binaryCalls) return each((x, y) => `${binaryCalls[name]}(${x},${y})`);
    if (name in ternaryCalls) return each(ternaryCalls[name]);
    if (name === "unpack4xU8")
      return { type: vector(4, scalar("u32")), c: [0, 8, 16, 24].map((s) => `((${a.c[0]}>>>${s})&255)`), data };
    if (name === "unpack4x8unorm")
      return { type: vector(4, scalar("f32")), c: [0, 8, 16, 24].map((s) => `(((${a.c[0]}>>>${s})&255)/255)`), data };
    if (name === "extractBits") return each((x, at, count) => `((${x}>>>${at})&((1<<${count})-1))`);
    if (name === "modf" || name === "frexp") this.fail(name);
    return this.fail(`the function ${name}`);
  }
  inlined(f, args, own) {
    if (++this.depth > 40) this.fail("a recursion");
    const outer = {
      scope: this.scope,
      result: this.result,
      returned: this.returned,
      jumps: this.jumps,
      active: this.active,
    };
    const names = new Map();
    f.parameters.forEach((p, i) => {
      if (p.type.kind === "pointer") {
        names.set(p.name, { pointer: this.reference(args[i], own) });
        return;
      }
      const v = this.variable(p.type);
      // what the arguments read before in this statement is not yet written: they are computed on their own
      this.each((inner) => {
        const given = this.converted(this.value(args[i], inner), p.type);
        v.data = given.data;
        return this.write({ variable: v, type: p.type, at: "0" }, given.c, inner);
      });
      names.set(p.name, { variable: v });
    });
    this.scope = { names, outer: undefined };
    this.result = f.result ? this.variable(f.result) : undefined;
    this.returned = this.mask();
    this.jumps = undefined;
    this.active = this.mask();
    this.out.push(`${this.active}.set(${outer.active});${this.returned}.fill(0);`);
    this.statements(f.body);
    const { result } = this;
    Object.assign(this, outer);
    this.depth--;
    return result
      ? this.read({ variable: result, type: f.result, at: "0" }, own)
      : { type: scalar("i32"), c: ["0"], data: false };
  }

  // ---- statements

  statements(list) {
    this.scope = { names: new Map(), outer: this.scope };
    for (const s of list) this.statement(s);
    this.scope = this.scope.outer;
  }
  /** Lanes that have left are out. */
  refresh(mask = this.active) {
    const gone = [this.returned, this.jumps?.broken, this.jumps?.continued].filter(Boolean).map((m) => `${m}[l]`);
    if (gone.length) this.out.push(`for(let l=0;l<${this.lanes};l++)if(${gone.join("|")})${mask}[l]=0;`);
  }
  under(mask, body) {
    const before = this.active;
    this.active = mask;
    this.out.push(`if(any(${mask})){`);
    body();
    this.out.push("}");
    this.active = before;
  }
  statement(s) {
    switch (s.kind) {
      case "block":
        return this.statements(s.body);
      case "declare": {
        let v;
        this.each((own) => {
          const given = s.value && this.value(s.value, own);
          const concrete =
            given &&
            (given.type.kind === "array" || given.type.kind === "struct"
              ? given.type
              : like(given.type, { int: "i32", float: "f32" }[scalarOf(given.type)] ?? scalarOf(given.type)));
          const type = s.type
            ? s.type.kind === "vector" && !s.type.of
              ? concrete
              : s.type
            : given.type.kind === "matrix"
              ? given.type
              : concrete;
          v = this.variable(type);
          v.data = given?.data ?? false;
          const texts = given ? this.converted(given, type).c : leavesOf(type).map(() => "0");
          return this.write({ variable: v, type, at: "0" }, texts, own);
        });
        this.scope.names.set(s.name, { variable: v });
        return undefined;
      }
      case "assign":
        return this.each((own) => {
          if (s.target.kind === "member" && s.target.name.length > 1) {
            const whole = this.reference(s.target, own);
            if (!whole) this.fail("an assignment to several elements");
          }
          const r = this.reference(s.target, own);
          if (!r) this.fail("an assignment");
          const given = s.op
            ? this.binary(s.op, this.read(r, own), this.value(s.value, own))
            : this.value(s.value, own);
          if (given.data || r.data) r.variable.data = true;
          return this.write(r, this.converted(given, r.type).c, own);
        });
      case "evaluate":
        return this.each((own) => {
          this.value(s.value, own);
          return "";
        });
      case "if": {
        const [yes, no] = [this.mask(), this.mask()];
        let data;
        this.out.push(`${yes}.fill(0);${no}.fill(0);`);
        this.each((own) => {
          const c = this.value(s.condition, own);
          data = c.data;
          return `if(${c.c[0]})${yes}[l]=1;else ${no}[l]=1;`;
        });
        const leaves = escapes(s.then) || escapes(s.otherwise);
        if (leaves && data && this.jumps?.loop !== undefined) this.memory.loops[this.jumps.loop].data = true;
        this.under(yes, () => this.statements(s.then));
        if (s.otherwise.length) this.under(no, () => this.statements(s.otherwise));
        if (leaves) this.refresh();
        return undefined;
      }
      case "switch": {
        const chosen = this.variable(scalar("i32"));
        this.each((own) =>
          this.write({ variable: chosen, type: scalar("i32"), at: "0" }, this.value(s.value, own).c, own),
        );
        const outer = this.jumps;
        this.jumps = { ...outer, broken: this.mask(), outerBroken: outer?.broken };
        this.out.push(`${this.jumps.broken}.fill(0);`);
        const rest = this.mask();
        this.out.push(`${rest}.set(${this.active});`);
        for (const c of [...s.cases].sort((a, b) => Number(a.otherwise) - Number(b.otherwise))) {
          const mine = this.mask();
          const before = this.active;
          this.active = rest;
          this.out.push(`${mine}.fill(0);`);
          this.each((own) => {
            const values = c.values.map((v) => `${chosen.name}[l]===${this.value(v, own).c[0]}`);
            return `if(${c.otherwise ? "true" : values.join("||")}){${mine}[l]=1;${rest}[l]=0;}`;
          });
          this.active = before;
          this.under(mine, () => this.statements(c.body));
        }
        this.jumps = outer;
        this.refresh();
        return undefined;
      }
      case "loop":
        return this.loopOf(s);
      case "break":
        this.out.push(
          `for(let l=0;l<${this.lanes};l++)if(${this.active}[l]){${this.jumps.broken}[l]=1;${this.active}[l]=0;}`,
        );
        return undefined;
      case "continue":
        this.out.push(
          `for(let l=0;l<${this.lanes};l++)if(${this.active}[l]){${this.jumps.continued}[l]=1;${this.active}[l]=0;}`,
        );
        return undefined;
      case "return":
        if (s.value)
          this.each((own) => {
            const given = this.value(s.value, own);
            this.result.data ||= given.data;
            return this.write(
              { variable: this.result, type: this.result.type, at: "0" },
              this.converted(given, this.result.type).c,
              own,
            );
          });
        this.out.push(
          `for(let l=0;l<${this.lanes};l++)if(${this.active}[l]){${this.returned}[l]=1;${this.active}[l]=0;}`,
        );
        return undefined;
      default:
        return this.fail(s.kind);
    }
  }
  loopOf(s) {
    const number_ = this.memory.loops.length;
    this.scope = { names: new Map(), outer: this.scope };
    if (s.init) this.statement(s.init);
    const record = { parent: this.loop, data: false, entries: 0, rounds: 0 };
    this.memory.loops.push(record);
    const outer = { jumps: this.jumps, loop: this.loop, active: this.active };
    this.loop = number_;
    this.jumps = { broken: this.mask(), continued: this.mask(), loop: number_ };
    const { broken, continued } = this.jumps;
    const [running, inside] = [this.mask(), this.mask()];
    this.out.push(
      `${broken}.fill(0);${continued}.fill(0);${running}.set(${this.active});mem.enter(${number_},${running});for(;;){`,
    );
    let conditionData = () => false;
    if (s.condition) {
      this.active = running;
      const used = namesOf(s.condition);
      this.each((own) => {
        const c = this.value(s.condition, own);
        conditionData = () => c.data || used.some((n) => this.lookup(n)?.variable?.data);
        return `if(!(${c.c[0]}))${running}[l]=0;`;
      });
    }
    this.out.push(`if(!any(${running}))break;mem.round(${number_},${running});${inside}.set(${running});`);
    this.active = inside;
    this.statements(s.body);
    this.out.push(
      `${continued}.fill(0);for(let l=0;l<${this.lanes};l++)if(${broken}[l]|${this.returned}[l])${running}[l]=0;`,
    );
    this.active = running;
    for (const step of s.step) this.statement(step);
    if (s.step.some((x) => x.kind === "if"))
      this.out.push(`for(let l=0;l<${this.lanes};l++)if(${broken}[l])${running}[l]=0;`);
    this.out.push("}");
    if (conditionData()) record.data = true;
    Object.assign(this, outer);
    this.scope = this.scope.outer;
    if (escapes(s.body)) this.refresh();
  }
}
const namesOf = (e) =>
  !e || typeof e !== "object"
    ? []
    : e.kind === "name"
      ? [e.name]
      : Object.values(e).flatMap((v) => (Array.isArray(v) ? v.flatMap(namesOf) : namesOf(v)));

export function generate(module, main, size, memory) {
  const lanes = size[0] * size[1] * size[2];
  memory.enter = (loop, mask) => void (memory.loops[loop].entries += wavesOf(mask));
  memory.round = (loop, mask) => {
    memory.loops[loop].rounds += wavesOf(mask);
    memory.spend(mask.length * 8);
  };
  const wavesOf = (mask) => {
    let n = 0;
    for (let from = 0; from < mask.length; from += memory.wave)
      for (let l = from; l < Math.min(mask.length, from + memory.wave); l++)
        if (mask[l]) {
          n++;
          break;
        }
    return n;
  };
  const g = new Generator(module, lanes, memory);
  g.active = g.mask();
  g.returned = g.mask();
  const names = new Map();
  const builtins = {
    local_invocation_index: ["l"],
    local_invocation_id: [`l%${size[0]}`, `Math.floor(l/${size[0]})%${size[1]}`, `Math.floor(l/${size[0] * size[1]})`],
    workgroup_id: ["group[0]", "group[1]", "group[2]"],
    num_workgroups: ["groups[0]", "groups[1]", "groups[2]"],
    global_invocation_id: [
      `group[0]*${size[0]}+l%${size[0]}`,
      `group[1]*${size[1]}+Math.floor(l/${size[0]})%${size[1]}`,
      `group[2]*${size[2]}+Math.floor(l/${size[0] * size[1]})`,
    ],
    subgroup_invocation_id: [`l%${memory.wave}`],
    subgroup_size: [String(memory.wave)],
    subgroup_id: [`Math.floor(l/${memory.wave})`],
    num_subgroups: [String(Math.ceil(lanes / memory.wave))],
  };
  g.out.push(`${g.active}.fill(1);${g.returned}.fill(0);`);
  g.scope = { names, outer: undefined };
  for (const p of main.parameters) {
    const fields = p.type.kind === "struct" ? p.type.fields.map((f) => f.builtin) : [p.builtin];
    const v = g.variable(p.type);
    g.each((own) =>
      g.write(
        { variable: v, type: p.type, at: "0" },
        fields.flatMap((b) => builtins[b] ?? g.fail(`the builtin ${b}`)),
        own,
      ),
    );
    names.set(p.name, { variable: v });
  }
  for (const global of module.globals.values())
    if (global.space === "private" && global.value) {
      const r = g.global(global.name);
      g.each((own) => g.write(r, g.converted(g.value(global.value, own), r.type).c, own));
    }
  g.statements(main.body);
  const text = `${g.arrays.join("")}return (group,groups)=>{${g.out.join("\n")}};`;
  const run = new Function("mem", ...Object.keys(helpers), text)(memory, ...Object.values(helpers));
  return { run };
}
