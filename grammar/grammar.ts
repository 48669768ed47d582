// The grammar of docs/language.md, a Chevrotain rule for each of its parts. In: the tokens of a declaration. Out: its AST, of which all is kept that was
// read (`missing` where something should stand).
import type * as ast from "./ast.ts";
import type { Span } from "./diagnostic.ts";
import * as errors from "./errors.ts";
import { tokenSpan } from "./mistakes.ts";
import { parsePattern } from "./pattern.ts";
import { Reader } from "./reader.ts";
import { kindOf, type Comment, type Token } from "./tokens.ts";

const operators: readonly (readonly ast.BinaryOperator[])[] = [
  ["|>", ">>"],
  ["or"],
  ["and"],
  ["==", "!=", "<", "<=", ">", ">="],
  [".."],
  ["+", "-"],
  ["*", "/", "//", "%", "@"],
]; // loosest first
const [comparison, range, sum] = [3, 4, 5];
const levels: ReadonlyMap<string, number> = new Map(operators.flatMap((row, i) => row.map((o) => [o, i])));
const once = [comparison, range]; // one operator at most

export class Grammar extends Reader {
  protected comments: readonly Comment[] = [];

  /** The `##` comment lines right before a declaration. */
  private docBefore(start: number): { doc?: string } {
    const { text } = this.source;
    const lines: string[] = [];
    let end = start;
    let [low, high] = [0, this.comments.length]; // those before `low` end before the declaration
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.comments[middle]!.end > start) high = middle;
      else low = middle + 1;
    }
    for (let i = low - 1; i >= 0; i--) {
      const c = this.comments[i]!;
      const between = text.slice(c.end, end);
      const ownLine = /^[ \t]*$/.test(text.slice(text.lastIndexOf("\n", c.start - 1) + 1, c.start));
      if (!ownLine || !c.text.startsWith("##") || !/^\s*$/.test(between) || /\n\s*\n/.test(between)) break;
      lines.unshift(c.text.slice(2).trim());
      end = c.start;
    }
    return lines.length ? { doc: lines.join("\n") } : {};
  }
  protected item = this.rule("item", (): ast.Item => {
    const start = this.here();
    const ends = (): { span: Span; doc?: string } => ({ span: this.from(start), ...this.docBefore(start) });
    const hyperParams = (kind: "layer" | "optimizer", i: number) => (): ast.Item => {
      this.expect(kind);
      const [name, hyper] = [this.name(i), this.subrule(i, this.params)];
      const params = this.subrule(i + 1, this.params);
      return { kind, name, hyper, params, ...this.result(i), body: this.subrule(i, this.body), ...ends() };
    };
    const parts: (() => ast.Item)[] = [
      () => {
        this.expect("import");
        return { kind: "import", path: inside(this.expect("string")), ...ends() };
      },
      () => {
        this.expect("const");
        const name = this.name();
        this.expect("=");
        return { kind: "const", name, value: this.subrule(0, this.expression), ...ends() };
      },
      () => {
        this.expect("data");
        const name = this.name(1);
        const statements = this.subrule(0, this.dataBlock);
        return { kind: "data", name, statements, ...ends() };
      },
      () => {
        this.expect("train");
        const name = this.name(2);
        const on = this.option(0, () => {
          this.expect("on");
          return this.subrule(1, this.expression);
        });
        const statements = this.subrule(0, this.trainBlock);
        return { kind: "train", name, ...(on ? { on } : {}), statements, ...ends() };
      },
      hyperParams("layer", 3),
      hyperParams("optimizer", 5),
      () => {
        this.expect("init");
        const [name, params] = [this.name(7), this.subrule(7, this.params)];
        return { kind: "init", name, params, body: this.subrule(7, this.body), ...ends() };
      },
      () => {
        this.expect("model");
        const [name, params] = [this.name(8), this.subrule(8, this.params)];
        return { kind: "model", name, params, ...this.result(8), body: this.subrule(8, this.body), ...ends() };
      },
      () => {
        const exported = this.option(1, () => this.expect("export")) !== undefined;
        this.expect("fn");
        const [name, params] = [this.name(9), this.subrule(9, this.params)];
        return { kind: "fn", exported, name, params, ...this.result(9), body: this.subrule(9, this.body), ...ends() };
      },
    ];
    return this.or(
      0,
      parts.map((ALT) => ({ ALT })),
    );
  });
  private dataBlock = this.rule(
    "dataBlock",
    (): ast.DataStatement[] => {
      this.resumeAtBlock();
      this.expect("{");
      return this.statements(["field", "holdout", "let"], true, () => this.subrule(0, this.dataStatement));
    },
    "item",
  );
  private trainBlock = this.rule(
    "trainBlock",
    (): ast.TrainStatement[] => {
      this.resumeAtBlock();
      this.expect("{");
      const begin = ["let", "state", "next", "minimize", "metric"];
      return this.statements(begin, true, () => this.subrule(0, this.trainStatement));
    },
    "item",
  );
  private params = this.rule("params", (): ast.Param[] => {
    this.expect("(");
    const list = this.failed ? [] : this.list(0, ")", (i) => this.subrule(i, this.parameter));
    return this.ACTION(() => {
      const star = list.findIndex((p) => p.byName);
      const second = list.find((p, i) => p.byName && i > star);
      if (second) this.failWith(errors.secondStar(second.span));
      return star < 0 ? list : list.map((p, i) => (i > star ? { ...p, byName: true } : p));
    });
  });
  private parameter = this.rule(
    "parameter",
    (): ast.Param => {
      const star = this.option(2, () => {
        this.expect("*");
        return this.expect(",");
      });
      const name = this.name();
      const { type } = this.typed();
      const initial = this.option(1, () => this.assigned(0));
      const span = this.ACTION(() => this.from(name.span.start));
      return {
        name,
        ...(type ? { type } : {}),
        ...(initial ? { default: initial } : {}),
        ...(star ? { byName: true } : {}),
        span,
      };
    },
    "params",
  );
  private result(index: number): { result?: ast.Type } {
    const result = this.option(10 + index, () => {
      this.expect("->", index);
      return this.subrule(index, this.type);
    });
    return result ? { result } : {};
  }

  // ---- types

  private type = this.rule("type", (): ast.Type => {
    const start = this.here();
    return this.choose<ast.Type>(
      0,
      [
        () => {
          const opening = this.expect("(");
          const elements = this.deeper(opening, () => this.list(0, ")", (i) => this.subrule(i, this.type), true));
          return { kind: "tuple_type", elements, span: this.from(start) };
        },
        () => {
          const element = this.or(1, [{ ALT: () => this.name(1) }, { ALT: () => this.wordAsName("fn") }]);
          const dims = this.option(0, () => {
            const bracket = this.expect("[");
            return this.deeper(bracket, () => this.list(2, "]", (i) => this.subrule(i, this.dim)));
          });
          const within = this.option(1, () => {
            this.expect("in");
            return this.subrule(0, this.expression, { ARGS: [range] });
          });
          return {
            kind: "tensor_type",
            element,
            ...(dims ? { dims } : {}),
            ...(within ? { range: within } : {}),
            span: this.from(start),
          };
        },
      ],
      () => ({ kind: "tensor_type", element: { text: "", span: this.from(start) }, span: this.from(start) }),
      "a name",
      "`fn`",
      "`(`",
    );
  });
  private wordAsName(word: string): ast.Name {
    const t = this.expect(word);
    return { text: t.image, span: tokenSpan(this.source, t) };
  }
  private dim = this.rule("dim", (): ast.DimExpr => {
    const start = this.here();
    return this.chooseOrLast<ast.DimExpr>(0, [
      () => {
        this.expect("...");
        return { kind: "spread", name: this.name(), span: this.from(start) };
      },
      () => {
        const value = this.subrule(0, this.expression, { ARGS: [comparison] });
        return { kind: "dim", value, span: this.from(start) };
      },
    ]);
  });

  // ---- bodies and statements

  private body = this.rule("body", (): ast.Body => {
    this.resumeAtBlock();
    return this.choose<ast.Body>(
      0,
      [
        () => this.subrule(0, this.block),
        () => {
          this.expect("=");
          return { kind: "expression", value: this.subrule(0, this.expression) };
        },
      ],
      () => ({ kind: "expression", value: this.missing() }),
      "`=`",
      "`{`",
    );
  });
  private block = this.rule("block", (): ast.Block => {
    const start = this.here();
    this.expect("{");
    const begin = ["param", "let", "state", "next", "yield", "return"];
    const statements = this.failed ? [] : this.statements(begin, false, () => this.subrule(0, this.statement));
    return { kind: "block", statements, span: this.from(start) };
  });
  private statement = this.rule("statement", (): ast.Statement => {
    const start = this.here();
    const valued = (kind: "yield" | "return", i: number) => (): ast.Statement => {
      this.expect(kind);
      return { kind, value: this.subrule(i, this.expression), span: this.from(start) };
    };
    const parts: (() => ast.Statement)[] = [
      () => this.subrule(0, this.letStatement),
      () => this.subrule(0, this.stateStatement),
      () => this.subrule(0, this.nextStatement),
      () => {
        this.expect("param");
        const name = this.name();
        this.expect(":");
        const type = this.subrule(0, this.type);
        this.expect("~");
        return { kind: "param", name, type, initial: this.subrule(0, this.expression), span: this.from(start) };
      },
      valued("yield", 1),
      valued("return", 2),
    ];
    return this.or(
      0,
      parts.map((ALT) => ({ ALT })),
    );
  });
  private letStatement = this.rule(
    "letStatement",
    (): ast.Let => {
      const start = this.here();
      this.expect("let");
      let tuple = false;
      const names = this.choose<ast.Name[]>(
        0,
        [
          () => [this.name()],
          () => {
            tuple = true;
            this.expect("(");
            return this.list(0, ")", (i) => this.name(i + 1), true);
          },
        ],
        () => [this.noName()],
        "a name",
        "`(`",
      );
      return { kind: "let", names, tuple, ...this.typed(), value: this.assigned(0), span: this.from(start) };
    },
    "let",
  );
  private stateStatement = this.rule(
    "stateStatement",
    (): ast.State => {
      const start = this.here();
      this.expect("state");
      return { kind: "state", name: this.name(), ...this.typed(), value: this.assigned(0), span: this.from(start) };
    },
    "state",
  );
  private nextStatement = this.rule(
    "nextStatement",
    (): ast.Next => {
      const start = this.here();
      this.expect("next");
      const assignments = this.several(0, (i) => ({ name: this.name(i), value: this.assigned(i) }));
      return { kind: "next", assignments, span: this.from(start) };
    },
    "next",
  );
  private dataStatement = this.rule("dataStatement", (): ast.DataStatement => {
    const start = this.here();
    const parts: (() => ast.DataStatement)[] = [
      () => this.subrule(0, this.letStatement),
      () => {
        this.expect("field");
        const name = this.name(0);
        this.expect(":");
        const type = this.subrule(0, this.type);
        return { kind: "field", name, type, value: this.assigned(0), span: this.from(start) };
      },
      () => {
        this.expect("holdout");
        return { kind: "holdout", name: this.name(1), value: this.assigned(1), span: this.from(start) };
      },
      () => this.setting(2),
    ];
    return this.or(
      0,
      parts.map((ALT) => ({ ALT })),
    );
  });
  private trainStatement = this.rule("trainStatement", (): ast.TrainStatement => {
    const start = this.here();
    const parts: (() => ast.TrainStatement)[] = [
      () => this.subrule(0, this.letStatement),
      () => this.subrule(0, this.stateStatement),
      () => this.subrule(0, this.nextStatement),
      () => {
        this.expect("metric");
        const name = this.name(0);
        const every = this.option(0, () => {
          this.expect("every");
          return this.name(1);
        });
        return { kind: "metric", name, ...(every ? { every } : {}), value: this.assigned(0), span: this.from(start) };
      },
      () => {
        this.expect("minimize");
        const value = this.subrule(1, this.expression);
        const clauses = [this.subrule(0, this.clause)];
        this.many(0, () => {
          clauses.push(this.subrule(1, this.clause));
        });
        return { kind: "minimize", value, clauses, span: this.from(start) };
      },
      () => this.setting(2),
    ];
    return this.or(
      0,
      parts.map((ALT) => ({ ALT })),
    );
  });
  private clause = this.rule(
    "clause",
    (): ast.Minimize["clauses"][number] => {
      const start = this.here();
      if (!this.is("wrt", "by")) this.fail("`wrt`", "`by`");
      const wrt = this.option(0, () => {
        this.expect("wrt");
        return this.subrule(0, this.expression);
      });
      this.expect("by");
      const by = this.subrule(1, this.expression);
      const every = this.option(1, () => {
        this.expect("every");
        return this.subrule(2, this.expression);
      });
      return { ...(wrt ? { wrt } : {}), by, ...(every ? { every } : {}), span: this.from(start) };
    },
    "trainStatement",
  );
  private setting(index: number): ast.Setting {
    const start = this.here();
    const name = this.name(index);
    this.expect(":", index);
    const form = this.here();
    const isEvery = this.option(index, () => this.expect("every", index)) !== undefined;
    const value = this.subrule(index, this.expression);
    const unit = this.option(index + 1, {
      GATE: () => isEvery && kindOf(this.LA(2)) !== ":", // the name of the next setting is no unit
      DEF: () => this.name(index + 1),
    });
    // `5 minutes`: nothing else begins on this line with a word that is no setting
    if (!isEvery && this.is("name") && kindOf(this.LA(2)) !== ":" && !this.isFirstOnLine) this.fail();
    const every = isEvery ? { every: { ...(unit ? { unit } : {}), span: this.from(form) } } : {};
    return { kind: "setting", name, value, ...every, span: this.from(start) };
  }
  private typed(): { type?: ast.Type } {
    const type = this.option(0, () => {
      this.expect(":");
      return this.subrule(0, this.type);
    });
    return type ? { type } : {};
  }
  private assigned(index: number): ast.Expr {
    this.expect("=", index);
    return this.subrule(index, this.expression);
  }

  // ---- expressions

  private readonly operator = [...levels.keys()].map((kind) => ({ ALT: (): Token => this.expect(kind) }));
  /** With operators of level `loosest` or tighter. */
  private expression = this.RULE("expression", (loosest = 0): ast.Expr => {
    const start = this.here();
    const outer = this.enter("expression");
    let left = this.subrule(0, this.unary);
    let tightest = Infinity;
    const level = (): number => levels.get(kindOf(this.LA(1))) ?? -1;
    this.many(0, {
      GATE: () => level() >= loosest && level() <= tightest,
      DEF: () => {
        const own = level();
        tightest = once.includes(own) ? own - 1 : own;
        const operator = this.or(0, this.operator);
        const right = this.subrule(1, this.expression, { ARGS: [own + 1] });
        left = this.ACTION(() => this.binary(left, operator, right, start));
      },
    });
    this.enter(outer);
    return left;
  });
  private binary(left: ast.Expr, written: Token, right: ast.Expr, start: number): ast.Expr {
    const operator = written.image as ast.BinaryOperator;
    return {
      kind: "binary",
      operator,
      left,
      right,
      span: this.from(start),
    };
  }
  private unary = this.RULE("unary", (): ast.Expr => {
    const start = this.here();
    const prefix = (word: "-" | "not", i: number) => (): ast.Expr => {
      const operator = this.expect(word);
      const operand = this.deeper(operator, () => this.subrule(i, this.unary));
      return { kind: "unary", operator: word, operand, span: this.from(start) };
    };
    const power = (): ast.Expr => {
      const left = this.subrule(0, this.postfix);
      const raised = this.option(0, () => {
        const operator = this.expect("^");
        const right = this.deeper(operator, () => this.subrule(2, this.unary));
        return this.binary(left, operator, right, start);
      });
      return raised ?? left;
    };
    return this.chooseOrLast(0, [prefix("-", 0), prefix("not", 1), power]);
  });
  private postfix = this.RULE("postfix", (): ast.Expr => {
    const start = this.here();
    let left = this.subrule(0, this.atom);
    const call = (): void => {
      const t = this.expect("(");
      const args = this.deeper(t, () => this.list(0, ")", (i) => this.subrule(i, this.argument)));
      left = { kind: "call", callee: left, args, span: this.from(start) };
    };
    const index = (): void => {
      const t = this.expect("[");
      const indices = this.deeper(t, () => this.list(2, "]", (i) => this.subrule(i, this.index)));
      const outside = this.option(5, () => {
        const operator = this.expect("??");
        return this.deeper(operator, () => this.subrule(0, this.unary));
      });
      left = { kind: "index", operand: left, indices, ...(outside ? { outside } : {}), span: this.from(start) };
    };
    const member = (): void => {
      const t = this.expect(".");
      if (left.kind === "number") this.failWith(errors.bareDecimalPoint(tokenSpan(this.source, t), `${left.text}.`));
      left = { kind: "member", operand: left, name: this.name(), span: this.from(start) };
    };
    const parts = [{ ALT: call }, { ALT: index }, { ALT: member }];
    this.many(4, () => this.or(0, parts));
    return left;
  });
  private argument = this.rule("argument", (): ast.Arg => {
    const start = this.here();
    const name = this.option(0, {
      GATE: () => kindOf(this.LA(2)) === ":",
      DEF: () => {
        const name = this.or(0, [{ ALT: () => this.name() }, { ALT: () => this.wordAsName("wrt") }]);
        this.expect(":");
        return name;
      },
    });
    return { ...(name ? { name } : {}), value: this.subrule(0, this.expression), span: this.from(start) };
  });
  private index = this.rule("index", (): ast.IndexExpr => {
    const start = this.here();
    const parts: (() => ast.IndexExpr)[] = [
      () => {
        this.expect(":");
        return { kind: "all", span: this.from(start) };
      },
      () => {
        this.expect("...");
        const name = this.option(0, () => this.name());
        return { kind: "rest", ...(name ? { name } : {}), span: this.from(start) };
      },
      () => ({ kind: "at", value: this.subrule(0, this.expression), span: this.from(start) }),
    ];
    return this.chooseOrLast(0, parts);
  });
  private binders = this.rule("binders", (): ast.Binder[] =>
    this.several(0, (i): ast.Binder => this.subrule(i, this.binder)),
  );
  private binder = this.rule(
    "binder",
    (): ast.Binder => {
      const start = this.here();
      return this.choose<ast.Binder>(
        0,
        [
          () => {
            this.expect("...");
            return { kind: "rest", span: this.from(start) };
          },
          () => {
            const name = this.name();
            const within = this.option(0, () => {
              const word = this.expect("in");
              return this.deeper(word, () => this.subrule(0, this.expression, { ARGS: [range] }));
            });
            return { kind: "binder", name, ...(within ? { range: within } : {}), span: this.from(start) };
          },
        ],
        () => ({ kind: "binder", name: this.noName(), span: this.from(start) }),
        "`...`",
        "a name",
      );
    },
    "binders",
  );
  /** The part of `for` and reducers behind their indices. */
  private bodyOf(index: number, opening: Token): ast.Expr {
    this.expect(":", index);
    return this.deeper(opening, () => this.subrule(index, this.expression));
  }
  private atom = this.RULE("atom", (): ast.Expr => {
    const start = this.here();
    const boolean = (word: "true" | "false") => (): ast.Expr => {
      this.expect(word);
      return { kind: "boolean", value: word === "true", span: this.from(start) };
    };
    const named = (): ast.Expr => {
      const t = this.LA(1);
      const name = this.name();
      const reduce = this.option(0, (): ast.Expr => {
        this.expect("over");
        const binders = this.subrule(0, this.binders);
        return { kind: "reduce", reducer: name, binders, body: this.bodyOf(0, t), span: this.from(start) };
      });
      return reduce ?? { kind: "name", ...name };
    };
    const parens = (): ast.Expr => {
      const t = this.expect("(");
      const elements = this.deeper(t, () => this.list(2, ")", (i) => this.subrule(i, this.expression), true));
      const span = this.from(start);
      return elements.length === 1 ? { kind: "paren", value: elements[0]!, span } : { kind: "tuple", elements, span };
    };
    const parts: (() => ast.Expr)[] = [
      named,
      () => {
        const t = this.expect("number");
        return { kind: "number", value: Number(t.image), text: t.image, span: this.from(start) };
      },
      parens,
      () => ({ kind: "string", value: inside(this.expect("string")), span: this.from(start) }),
      () => {
        const written = this.expect("pattern");
        return this.ACTION(() => this.pattern(written));
      },
      boolean("true"),
      boolean("false"),
      () => {
        const t = this.expect("[");
        const elements = this.deeper(t, () => this.list(4, "]", (i) => this.subrule(i, this.expression)));
        return { kind: "list", elements, span: this.from(start) };
      },
      () => {
        const t = this.expect("for");
        const binders = this.subrule(1, this.binders);
        return { kind: "for", binders, body: this.bodyOf(1, t), span: this.from(start) };
      },
      () => {
        const t = this.expect("|");
        const params = this.several(6, (i) => this.name(i));
        this.expect("|", 1);
        const body = this.deeper(t, () => this.subrule(6, this.expression));
        return { kind: "lambda", params, body, span: this.from(start) };
      },
      () => this.subrule(0, this.choice),
      () => this.subrule(0, this.stacked),
      () => this.subrule(0, this.loop),
    ];
    return this.choose(0, parts, () => this.missing());
  });
  private pattern(written: Token): ast.Expr {
    const text = inside(written);
    const read = parsePattern(text);
    const at = written.startOffset + 1 + ("problem" in read ? read.offset : 0);
    if ("problem" in read)
      this.diagnostics.push(errors.badPattern({ file: this.source, start: at, end: at + 1 }, read.problem));
    const pattern = "pattern" in read ? read.pattern : { inputs: [], output: [] };
    return { kind: "pattern", pattern, text, span: this.from(written.startOffset) };
  }
  private choice = this.RULE("choice", (): ast.Expr =>
    this.deeper(this.LA(1), () => {
      const start = this.here();
      this.expect("if");
      const condition = this.subrule(0, this.expression);
      this.expect("then");
      const then = this.subrule(1, this.expression);
      this.expect("else");
      return { kind: "if", condition, then, else: this.subrule(2, this.expression), span: this.from(start) };
    }),
  );
  private stacked = this.RULE("stacked", (): ast.Expr =>
    this.deeper(this.LA(1), () => {
      const start = this.here();
      this.expect("stack");
      const index = this.option(0, () => {
        const name = this.name();
        this.expect("in");
        return name;
      });
      const count = this.subrule(0, this.expression, { ARGS: [range] });
      this.expect("of");
      const of = this.subrule(0, this.postfix);
      return { kind: "stack", ...(index ? { index } : {}), count, of, span: this.from(start) };
    }),
  );
  private loop = this.RULE("loop", (): ast.Expr => {
    const start = this.here();
    const word = this.LA(1);
    const kind = this.or<"scan" | "fold">(
      0,
      (["scan", "fold"] as const).map((kind) => ({ ALT: () => (this.expect(kind), kind) })),
    );
    return this.deeper(word, () => {
      this.expect("(");
      const iterators = this.several(0, (i) => this.subrule(i, this.iterator));
      const carries =
        this.option(2, () => {
          this.expect(";");
          return this.several(3, (i) => ({ name: this.name(i), value: this.assigned(i) }));
        }) ?? [];
      this.expect(")");
      return { kind, iterators, carries, body: this.subrule(0, this.block), span: this.from(start) };
    });
  });
  private iterator = this.rule("iterator", (): ast.Loop["iterators"][number] => {
    const start = this.here();
    const name = this.name();
    this.expect("in");
    const over = this.subrule(0, this.expression);
    const along = this.option(0, () => {
      this.expect("along");
      return this.subrule(1, this.expression, { ARGS: [sum] });
    });
    return { name, in: over, ...(along ? { along } : {}), span: this.from(start) };
  });
}
/** The text between the marks; the last one may be missing. */
const inside = ({ image: text }: Token): string =>
  text.slice(1, text.length > 1 && text.at(-1) === text[0] ? -1 : undefined);
