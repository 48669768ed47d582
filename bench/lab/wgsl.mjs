// Reads WGSL: text in, a tree of declarations out, with the types and their layout in memory. What compute kernels use, and no more.
// Types: { kind: "scalar", name } · { kind: "vector", n, of } · { kind: "matrix", n, rows, of } · { kind: "array", of, count } · { kind: "struct", name, fields } · { kind: "pointer", of }.

const tokenPattern =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|(0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?\d+[fh]?|0[xX][0-9a-fA-F]+[iu]?|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?[iufh]?)|([A-Za-z_]\w*)|(<<=|>>=|->|\+\+|--|&&|\|\||<<|>>|[<>=!+\-*/%&|^]=|[-+*/%&|^!~<>=(){}[\].,;:@])/y;

function tokensOf(text) {
  const tokens = [];
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < text.length) {
    const at = tokenPattern.lastIndex;
    const found = tokenPattern.exec(text);
    if (!found) throw new Error(`WGSL: not understood: ${text.slice(at, at + 30)}`);
    const [, number, word, sign] = found;
    if (number !== undefined) tokens.push({ kind: "number", text: number });
    else if (word !== undefined) tokens.push({ kind: "word", text: word });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: sign });
  }
  return tokens;
}

export const scalar = (name) => ({ kind: "scalar", name });
export const vector = (n, of) => ({ kind: "vector", n, of });
const suffixes = { i: "i32", u: "u32", f: "f32", h: "f16" };
const binaryLevels = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];
const assignments = new Set(["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="]);

/** `constants`: values of overrides, which become constants. */
export function parse(text, constants = {}) {
  const tokens = tokensOf(text);
  let at = 0;
  const module = {
    structs: new Map(),
    aliases: new Map(),
    constants: new Map(),
    globals: new Map(),
    functions: new Map(),
  };

  const peek = (ahead = 0) => tokens[at + ahead]?.text;
  const is = (sign) => peek() === sign;
  const take = (sign) => is(sign) && (at++, true);
  const fail = () => {
    throw new Error(
      `WGSL: not understood near '${tokens
        .slice(at - 5, at + 5)
        .map((t) => t.text)
        .join(" ")}'`,
    );
  };
  const expect = (sign) => take(sign) || fail();
  const word = () => (tokens[at]?.kind === "word" ? tokens[at++].text : fail());
  /** `>>` closes two lists. */
  const closeAngle = () => {
    if (is(">>")) tokens[at] = { kind: "sign", text: ">" };
    else if (is(">=")) tokens[at] = { kind: "sign", text: "=" };
    else expect(">");
  };

  function attributes() {
    const found = {};
    while (take("@")) {
      const name = word();
      found[name] = [];
      if (take("(")) {
        while (!take(")")) {
          found[name].push(expression());
          take(",");
        }
      }
    }
    return found;
  }

  // ---- types

  function type() {
    const name = word();
    const short = /^vec([234])([iufh])$/.exec(name);
    if (short) return vector(Number(short[1]), scalar(suffixes[short[2]]));
    const shortMatrix = /^mat([234])x([234])f$/.exec(name);
    if (shortMatrix)
      return { kind: "matrix", n: Number(shortMatrix[1]), rows: Number(shortMatrix[2]), of: scalar("f32") };
    const wide = /^vec([234])$/.exec(name);
    if (wide) {
      if (!take("<")) return vector(Number(wide[1]), undefined); // the elements tell
      const of = type();
      closeAngle();
      return vector(Number(wide[1]), of);
    }
    const matrix = /^mat([234])x([234])$/.exec(name);
    if (matrix) {
      expect("<");
      const of = type();
      closeAngle();
      return { kind: "matrix", n: Number(matrix[1]), rows: Number(matrix[2]), of };
    }
    if (name === "array") {
      if (!take("<")) return { kind: "array", of: undefined, count: undefined };
      const of = type();
      const count = take(",") && !is(">") ? expression(7) : undefined; // above shifts and comparisons
      take(",");
      closeAngle();
      return { kind: "array", of, count: count && constantValue(count) };
    }
    if (name === "atomic") {
      expect("<");
      const of = type();
      closeAngle();
      return of;
    }
    if (name === "ptr") {
      expect("<");
      const space = word();
      expect(",");
      const of = type();
      if (take(",")) word();
      closeAngle();
      return { kind: "pointer", of, space };
    }
    return module.aliases.get(name) ?? module.structs.get(name) ?? scalar(name);
  }
  const typeWords = /^(vec[234][iufh]?|mat[234]x[234]f?|array|bitcast|i32|u32|f32|f16|bool|atomic)$/;

  /** The number that an expression of constants is. */
  function constantValue(e) {
    switch (e.kind) {
      case "number":
        return e.value;
      case "name": {
        const c = module.constants.get(e.name);
        return c ? constantValue(c.value) : fail();
      }
      case "unary":
        return e.op === "-" ? -constantValue(e.of) : fail();
      case "call":
        return e.args.length === 1 ? constantValue(e.args[0]) : fail();
      case "binary": {
        const [a, b] = [constantValue(e.a), constantValue(e.b)];
        return { "+": a + b, "-": a - b, "*": a * b, "/": Math.trunc(a / b), "%": a % b }[e.op] ?? fail();
      }
      default:
        return fail();
    }
  }

  // ---- expressions

  function expression(level = 0) {
    if (level === binaryLevels.length) return unary();
    let a = expression(level + 1);
    while (binaryLevels[level].includes(peek())) {
      const op = tokens[at++].text;
      a = { kind: "binary", op, a, b: expression(level + 1) };
    }
    return a;
  }
  function unary() {
    for (const op of ["-", "!", "~", "&", "*"]) if (take(op)) return { kind: "unary", op, of: unary() };
    return postfix(primary());
  }
  function postfix(e) {
    for (;;) {
      if (take("[")) {
        const index = expression();
        expect("]");
        e = { kind: "index", of: e, index };
      } else if (take(".")) e = { kind: "member", of: e, name: word() };
      else return e;
    }
  }
  function callArguments() {
    expect("(");
    const args = [];
    while (!take(")")) {
      args.push(expression());
      take(",");
    }
    return args;
  }
  function primary() {
    const token = tokens[at];
    if (token.kind === "number") {
      at++;
      const hexadecimal = /^0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)/.exec(token.text);
      if (hexadecimal) {
        const [, whole, part, power] = hexadecimal;
        const value = parseInt(whole + part, 16) * 2 ** (Number(power) - 4 * part.length);
        return { kind: "number", value, type: scalar("f32") };
      }
      const suffix = /^0[xX]/.test(token.text) ? /[iu]$/.exec(token.text)?.[0] : /[iufh]$/.exec(token.text)?.[0];
      const digits = suffix ? token.text.slice(0, -1) : token.text;
      const real = !/^0[xX]/.test(digits) && /[.eE]/.test(digits);
      return { kind: "number", value: Number(digits), type: scalar(suffixes[suffix] ?? (real ? "float" : "int")) };
    }
    if (take("(")) {
      const e = expression();
      expect(")");
      return e;
    }
    if (token.text === "true" || token.text === "false") {
      at++;
      return { kind: "number", value: token.text === "true" ? 1 : 0, type: scalar("bool") };
    }
    if (
      typeWords.test(token.text) ||
      (peek(1) === "(" && (module.structs.has(token.text) || module.aliases.has(token.text)))
    ) {
      if (token.text === "bitcast") {
        at++;
        expect("<");
        const to = type();
        closeAngle();
        return { kind: "bitcast", type: to, args: callArguments() };
      }
      const made = type();
      return { kind: "construct", type: made, args: callArguments() };
    }
    const name = word();
    return is("(") ? { kind: "call", name, args: callArguments() } : { kind: "name", name };
  }

  // ---- statements

  function block() {
    expect("{");
    const list = [];
    while (!take("}")) {
      const s = statement();
      if (s) list.push(s);
    }
    return list;
  }
  /** Without its semicolon. */
  function simple() {
    if (is("let") || is("var") || is("const")) {
      const kind = word();
      if (take("<")) {
        word();
        closeAngle();
      }
      const name = word();
      const declared = take(":") ? type() : undefined;
      return {
        kind: "declare",
        variable: kind === "var",
        name,
        type: declared,
        value: take("=") ? expression() : undefined,
      };
    }
    const target = unary();
    if (is("++") || is("--")) {
      const op = tokens[at++].text[0];
      return { kind: "assign", target, op, value: { kind: "number", value: 1, type: scalar("int") } };
    }
    if (assignments.has(peek())) {
      const op = tokens[at++].text.slice(0, -1);
      return { kind: "assign", target, op, value: expression() };
    }
    return { kind: "evaluate", value: target };
  }
  function statement() {
    attributes();
    if (take(";")) return undefined;
    if (is("{")) return { kind: "block", body: block() };
    if (take("if")) {
      const condition = expression();
      const then = block();
      attributes();
      return { kind: "if", condition, then, otherwise: take("else") ? (is("if") ? [statement()] : block()) : [] };
    }
    if (take("for")) {
      expect("(");
      const init = is(";") ? undefined : simple();
      expect(";");
      const condition = is(";") ? undefined : expression();
      expect(";");
      const step = is(")") ? undefined : simple();
      expect(")");
      return { kind: "loop", init, condition, step: step ? [step] : [], body: block() };
    }
    if (take("while")) {
      const condition = expression();
      return { kind: "loop", condition, step: [], body: block() };
    }
    if (take("loop")) {
      const body = [];
      let step = [];
      let breakIf;
      expect("{");
      while (!take("}")) {
        if (take("continuing")) {
          expect("{");
          while (!take("}")) {
            if (is("break") && peek(1) === "if") {
              at += 2;
              breakIf = expression();
              expect(";");
              continue;
            }
            const s = statement();
            if (s) step.push(s);
          }
          continue;
        }
        const s = statement();
        if (s) body.push(s);
      }
      if (breakIf) step = [...step, { kind: "if", condition: breakIf, then: [{ kind: "break" }], otherwise: [] }];
      return { kind: "loop", step, body };
    }
    if (take("switch")) {
      const value = expression();
      expect("{");
      const cases = [];
      while (!take("}")) {
        const values = [];
        let otherwise = false;
        if (take("default")) otherwise = true;
        else {
          expect("case");
          while (!is(":") && !is("{")) {
            if (take("default")) otherwise = true;
            else values.push(expression());
            take(",");
          }
        }
        take(":");
        cases.push({ values, otherwise, body: block() });
      }
      return { kind: "switch", value, cases };
    }
    let s;
    if (take("return")) s = { kind: "return", value: is(";") ? undefined : expression() };
    else if (take("break")) s = { kind: "break" };
    else if (take("continue")) s = { kind: "continue" };
    else if (take("_")) {
      expect("=");
      s = { kind: "evaluate", value: expression() };
    } else s = simple();
    expect(";");
    return s;
  }

  // ---- the module

  while (at < tokens.length) {
    if (take(";")) continue;
    if (is("enable") || is("requires") || is("diagnostic") || is("const_assert")) {
      while (!take(";")) at++;
      continue;
    }
    const found = attributes();
    if (take("struct")) {
      const name = word();
      const fields = [];
      expect("{");
      while (!take("}")) {
        const own = attributes();
        const field = word();
        expect(":");
        fields.push({
          name: field,
          type: type(),
          align: own.align && constantValue(own.align[0]),
          size: own.size && constantValue(own.size[0]),
          builtin: own.builtin?.[0].name,
        });
        take(",");
      }
      module.structs.set(name, { kind: "struct", name, fields });
    } else if (take("alias")) {
      const name = word();
      expect("=");
      module.aliases.set(name, type());
      expect(";");
    } else if (is("const") || is("override")) {
      const override = word() === "override";
      const name = word();
      const declared = take(":") ? type() : undefined;
      const value = take("=") ? expression() : undefined;
      expect(";");
      const given =
        override && constants[name] !== undefined
          ? { kind: "number", value: constants[name], type: declared ?? scalar("int") }
          : value;
      if (!given) throw new Error(`WGSL: no value for override ${name}`);
      module.constants.set(name, { type: declared, value: given });
    } else if (take("var")) {
      let space = "handle";
      let access;
      if (take("<")) {
        space = word();
        if (take(",")) access = word();
        closeAngle();
      }
      const name = word();
      expect(":");
      const declared = type();
      const value = take("=") ? expression() : undefined;
      expect(";");
      const number = (a) => (a ? constantValue(a[0]) : undefined);
      module.globals.set(name, {
        name,
        space,
        access,
        type: declared,
        value,
        group: number(found.group),
        binding: number(found.binding),
      });
    } else if (take("fn")) {
      const name = word();
      const parameters = [];
      expect("(");
      while (!take(")")) {
        const own = attributes();
        const parameter = word();
        expect(":");
        parameters.push({ name: parameter, type: type(), builtin: own.builtin?.[0].name });
        take(",");
      }
      let result;
      if (take("->")) {
        attributes();
        result = type();
      }
      const workgroupSize = found.workgroup_size?.map(constantValue);
      module.functions.set(name, { name, parameters, result, body: block(), workgroupSize });
    } else fail();
  }
  return module;
}

// ---- layout in memory, in bytes

const roundUp = (n, to) => Math.ceil(n / to) * to;
export function alignOf(t) {
  if (t.kind === "scalar") return 4;
  if (t.kind === "vector") return t.n === 2 ? 8 : 16;
  if (t.kind === "matrix") return t.rows === 2 ? 8 : 16;
  if (t.kind === "array") return alignOf(t.of);
  return Math.max(...t.fields.map((f) => f.align ?? alignOf(f.type)));
}
export function sizeOf(t) {
  if (t.kind === "scalar") return 4;
  if (t.kind === "vector") return 4 * t.n;
  if (t.kind === "matrix") return t.n * (t.rows === 2 ? 8 : 16);
  if (t.kind === "array") return (t.count ?? 0) * strideOf(t);
  const last = t.fields.at(-1);
  return roundUp(offsetOf(t, last.name) + (last.size ?? sizeOf(last.type)), alignOf(t));
}
export const strideOf = (array) => roundUp(sizeOf(array.of), alignOf(array.of));
export function offsetOf(struct, name) {
  let offset = 0;
  for (const f of struct.fields) {
    offset = roundUp(offset, f.align ?? alignOf(f.type));
    if (f.name === name) return offset;
    offset += f.size ?? sizeOf(f.type);
  }
  throw new Error(`WGSL: no field ${name}`);
}
/** The scalars of a type with their places, in words. */
export function leavesOf(t) {
  if (t.kind === "scalar") return [{ at: 0, type: t.name }];
  if (t.kind === "vector") return Array.from({ length: t.n }, (_, i) => ({ at: i, type: t.of.name }));
  const parts =
    t.kind === "struct"
      ? t.fields.map((f) => [offsetOf(t, f.name) / 4, f.type])
      : t.kind === "matrix"
        ? Array.from({ length: t.n }, (_, i) => [(i * (t.rows === 2 ? 8 : 16)) / 4, vector(t.rows, t.of)])
        : Array.from({ length: t.count ?? 0 }, (_, i) => [(i * strideOf(t)) / 4, t.of]);
  return parts.flatMap(([base, type]) => leavesOf(type).map((leaf) => ({ ...leaf, at: base + leaf.at })));
}
