// Kernels as models have them, each at a size that tests can evaluate.
import {
  add,
  and,
  boolean,
  call,
  div,
  equal,
  floorDiv,
  iadd,
  imul,
  isub,
  less,
  lessEqual,
  linear,
  literal,
  modulo,
  mul,
  neg,
  random,
  select,
  sub,
  dim,
  integer,
  toF32,
} from "../../compiler/graph/scalar.ts";
import { reshape } from "../../compiler/graph/node.ts";
import type { Integer, Scalar } from "../../compiler/graph/types.ts";
import type { KernelSpec } from "../../compiler/kernel/kernel.ts";
import type { Dims } from "../../compiler/evaluate/evaluate.ts";
import { at, atOr, SpecBuilder, tensor } from "./spec.ts";

export interface Case {
  readonly name: string;
  readonly spec: KernelSpec;
  readonly dims?: Dims;
  readonly bytes?: readonly string[]; // paths stored as u8
  readonly flops?: number;
  readonly moved?: number; // bytes
}
export const relu = (x: Scalar): Scalar => call("max", x, 0);
const exp = (x: Scalar): Scalar => call("exp", x);

/** y = a b of the three layouts, with bias and relu when wanted. */
export function product(kind: "NN" | "TN" | "NT", m: number, n: number, k: number, epilogue = false): Case {
  const a = tensor("a", kind === "TN" ? [k, m] : [m, k]);
  const b = tensor("b", kind === "NT" ? [n, k] : [k, n]);
  const bias = tensor("bias", [n]);
  const y = tensor("y", [m, n]);
  const s = new SpecBuilder(`product_${kind.toLowerCase()}`, [m, n]);
  const [i, j] = s.i as [never, never];
  const sum = s.sum([k], (c) =>
    mul(kind === "TN" ? at(a, c!, i) : at(a, i, c!), kind === "NT" ? at(b, j, c!) : at(b, c!, j)),
  );
  s.store(y, epilogue ? relu(add(sum, at(bias, j))) : sum);
  return { name: `${kind} ${m}x${n}x${k}${epilogue ? " bias relu" : ""}`, spec: s.done(), flops: 2 * m * n * k };
}
/** Attention scores q k^T / sqrt(d), causal when wanted: products over a shared batch and head. */
export function scores(b: number, h: number, t: number, d: number, causal = false): Case {
  const q = tensor("q", [b, t, h, d]);
  const k = tensor("k", [b, t, h, d]);
  const y = tensor("y", [b, h, t, t]);
  const s = new SpecBuilder("scores", [b, h, t, t]);
  const [bi, hi, i, j] = s.i as [never, never, never, never];
  const sum = s.sum([d], (c) => mul(at(q, bi, i, hi, c!), at(k, bi, j, hi, c!)));
  const scaled = mul(sum, 1 / Math.sqrt(d));
  s.store(y, causal ? select(lessEqual(j, i), scaled, -1e9) : scaled);
  return { name: `scores ${b}x${h}x${t}x${t}x${d}`, spec: s.done(), flops: 2 * b * h * t * t * d };
}
/** Weights times values, only over the past: the guard bounds the loop. */
export function causalValues(b: number, h: number, t: number, d: number): Case {
  const p = tensor("p", [b, h, t, t]);
  const v = tensor("v", [b, t, h, d]);
  const y = tensor("y", [b, t, h, d]);
  const s = new SpecBuilder("mix", [b, t, h, d]);
  const [bi, i, hi, c] = s.i as [never, never, never, never];
  s.store(
    y,
    s.sum([t], (j) => select(lessEqual(j!, i), mul(at(p, bi, hi, i, j!), at(v, bi, j!, hi, c)), 0)),
  );
  return { name: `causal mix ${b}x${h}x${t}x${d}`, spec: s.done(), flops: 2 * b * h * t * t * d };
}
const convFlops = (b: number, h: number, w: number, c: number, o: number, k: number): number =>
  2 * b * h * w * c * o * k * k;
export function conv(b: number, h: number, c: number, o: number, k = 3, stride = 1, epilogue = false): Case {
  const pad = (k - 1) >> 1;
  const out = Math.floor((h + 2 * pad - k) / stride) + 1;
  const x = tensor("x", [b, h, h, c]);
  const w = tensor("w", [k, k, c, o]);
  const bias = tensor("bias", [o]);
  const y = tensor("y", [b, out, out, o]);
  const s = new SpecBuilder("conv", [b, out, out, o]);
  const [bi, i, j, oi] = s.i as [never, never, never, never];
  const sum = s.sum([k, k, c], (r, t, ci) =>
    mul(
      atOr(
        x,
        0,
        bi,
        linear(
          [
            [i, stride],
            [r!, 1],
          ],
          -pad,
        ),
        linear(
          [
            [j, stride],
            [t!, 1],
          ],
          -pad,
        ),
        c === 1 ? 0 : ci!,
      ),
      at(w, r!, t!, c === 1 ? 0 : ci!, oi),
    ),
  );
  s.store(y, epilogue ? relu(add(sum, at(bias, oi))) : sum);
  return {
    name: `conv ${k}x${k}${stride > 1 ? `/${stride}` : ""} ${b}x${h}x${h} ${c}->${o}`,
    spec: s.done(),
    flops: convFlops(b, out, out, c, o, k),
  };
}
/** dx[b, p, q, c] = sum(r, s, o) dy[b, p - r + 1, q - s + 1, o] w[r, s, c, o] */
export function convInput(b: number, h: number, c: number, o: number): Case {
  const dy = tensor("dy", [b, h, h, o]);
  const w = tensor("w", [3, 3, c, o]);
  const dx = tensor("dx", [b, h, h, c]);
  const s = new SpecBuilder("conv_dx", [b, h, h, c]);
  const [bi, p, q, ci] = s.i as [never, never, never, never];
  s.store(
    dx,
    s.sum([3, 3, o], (r, t, oi) =>
      mul(
        atOr(
          dy,
          0,
          bi,
          linear(
            [
              [p, 1],
              [r!, -1],
            ],
            1,
          ),
          linear(
            [
              [q, 1],
              [t!, -1],
            ],
            1,
          ),
          oi!,
        ),
        at(w, r!, t!, ci, oi!),
      ),
    ),
  );
  return { name: `conv dx ${b}x${h}x${h} ${c}->${o}`, spec: s.done(), flops: convFlops(b, h, h, c, o, 3) };
}
/** dw[r, s, c, o] = sum(b, i, j) x[b, i + r - 1, j + s - 1, c] dy[b, i, j, o] */
export function convWeight(b: number, h: number, c: number, o: number): Case {
  const x = tensor("x", [b, h, h, c]);
  const dy = tensor("dy", [b, h, h, o]);
  const dw = tensor("dw", [3, 3, c, o]);
  const s = new SpecBuilder("conv_dw", [3, 3, c, o]);
  const [r, t, ci, oi] = s.i as [never, never, never, never];
  s.store(
    dw,
    s.sum([b, h, h], (bi, i, j) =>
      mul(
        atOr(
          x,
          0,
          bi!,
          linear(
            [
              [i!, 1],
              [r, 1],
            ],
            -1,
          ),
          linear(
            [
              [j!, 1],
              [t, 1],
            ],
            -1,
          ),
          c === 1 ? 0 : ci,
        ),
        at(dy, bi!, i!, j!, oi),
      ),
    ),
  );
  return { name: `conv dw ${b}x${h}x${h} ${c}->${o}`, spec: s.done(), flops: convFlops(b, h, h, c, o, 3) };
}
export function pool(b: number, h: number, c: number): Case {
  const x = tensor("x", [b, h, h, c]);
  const y = tensor("y", [b, h >> 1, h >> 1, c]);
  const where = tensor("where", [b, h >> 1, h >> 1, c], "i32");
  const s = new SpecBuilder("pool", [b, h >> 1, h >> 1, c]);
  const [bi, i, j, ci] = s.i as [never, never, never, never];
  const value = (r: never, t: never): Scalar =>
    at(
      x,
      bi,
      linear([
        [i, 2],
        [r, 1],
      ]),
      linear([
        [j, 2],
        [t, 1],
      ]),
      ci,
    );
  const max = s.reduce("max", [2, 2], (r, t) => value(r as never, t as never));
  const best = s.reduce("argmax", [2, 2], (r, t) => value(r as never, t as never));
  s.store(y, max).store(where, best);
  return { name: `max pool ${b}x${h}x${h}x${c}`, spec: s.done(), moved: 4 * b * h * h * c * 1.5 };
}
/** The gradient of max pooling: floor and mod positions, an integer load, a comparison. */
export function poolGradient(b: number, h: number, c: number): Case {
  const dy = tensor("dy", [b, h >> 1, h >> 1, c]);
  const where = tensor("where", [b, h >> 1, h >> 1, c], "i32", { low: 0, high: 3 });
  const dx = tensor("dx", [b, h, h, c]);
  const s = new SpecBuilder("pool_dx", [b, h, h, c]);
  const [bi, i, j, ci] = s.i as [never, never, never, never];
  const [p, q] = [floorDiv(i, 2), floorDiv(j, 2)];
  const own = linear([
    [modulo(i, 2), 2],
    [modulo(j, 2), 1],
  ]);
  s.store(dx, select(equal(at(where, bi, p, q, ci) as never, own), at(dy, bi, p, q, ci), 0));
  return { name: `max pool dx ${b}x${h}x${h}x${c}`, spec: s.done(), moved: 4 * b * h * h * c * 1.5 };
}
export function softmax(m: number, n: number): Case {
  const x = tensor("x", [m, n]);
  const y = tensor("y", [m, n]);
  const s = new SpecBuilder("softmax", [m]);
  const [i] = s.i as [never];
  const max = s.reduce("max", [n], (k) => at(x, i, k!));
  const sum = s.sum([n], (k) => exp(sub(at(x, i, k!), max)));
  s.storeRow(y, [n], (k) => div(exp(sub(at(x, i, k!), max)), sum));
  return { name: `softmax ${m}x${n}`, spec: s.done(), moved: 8 * m * n };
}
export function softmaxGradient(m: number, n: number): Case {
  const y = tensor("y", [m, n]);
  const dy = tensor("dy", [m, n]);
  const dx = tensor("dx", [m, n]);
  const s = new SpecBuilder("softmax_dx", [m]);
  const [i] = s.i as [never];
  const sum = s.sum([n], (k) => mul(at(y, i, k!), at(dy, i, k!)));
  s.storeRow(dx, [n], (k) => mul(at(y, i, k!), sub(at(dy, i, k!), sum)));
  return { name: `softmax dx ${m}x${n}`, spec: s.done(), moved: 12 * m * n };
}
export function layerNorm(m: number, n: number): Case {
  const x = tensor("x", [m, n]);
  const g = tensor("g", [n]);
  const b = tensor("b", [n]);
  const y = tensor("y", [m, n]);
  const s = new SpecBuilder("layer_norm", [m]);
  const [i] = s.i as [never];
  const mean = mul(
    s.sum([n], (k) => at(x, i, k!)),
    1 / n,
  );
  const centred = (k: never): Scalar => sub(at(x, i, k), mean);
  const variance = mul(
    s.sum([n], (k) => mul(centred(k as never), centred(k as never)), "squares"),
    1 / n,
  );
  const scale = div(1, call("sqrt", add(variance, 1e-5)));
  s.storeRow(y, [n], (k) => add(mul(mul(centred(k as never), scale), at(g, k!)), at(b, k!)));
  return { name: `layer norm ${m}x${n}`, spec: s.done(), moved: 8 * m * n };
}
/** Cross entropy of integer targets: row maximum, log of the sum, one picked element. */
export function crossEntropy(m: number, n: number): Case {
  const x = tensor("x", [m, n]);
  const t = tensor("t", [m], "i32", { low: 0, high: n - 1 });
  const loss = tensor("loss", [m]);
  const dx = tensor("dx", [m, n]);
  const s = new SpecBuilder("cross_entropy", [m]);
  const [i] = s.i as [never];
  const max = s.reduce("max", [n], (k) => at(x, i, k!));
  const sum = s.sum([n], (k) => exp(sub(at(x, i, k!), max)));
  s.store(loss, sub(add(call("log", sum), max), at(x, i, at(t, i) as never)));
  s.storeRow(dx, [n], (k) =>
    mul(sub(div(exp(sub(at(x, i, k!), max)), sum), select(equal(k!, at(t, i) as never), literal(1), 0)), 1 / m),
  );
  return { name: `cross entropy ${m}x${n}`, spec: s.done(), moved: 8 * m * n };
}
export function rowSums(m: number, n: number): Case {
  const x = tensor("x", [m, n]);
  const y = tensor("y", [m]);
  const s = new SpecBuilder("row_sums", [m]);
  s.store(
    y,
    s.sum([n], (k) => at(x, s.i[0]!, k!)),
  );
  return { name: `row sums ${m}x${n}`, spec: s.done(), moved: 4 * m * n };
}
export function columnSums(m: number, n: number): Case {
  const x = tensor("x", [m, n]);
  const y = tensor("y", [n]);
  const s = new SpecBuilder("column_sums", [n]);
  s.store(
    y,
    s.sum([m], (k) => at(x, k!, s.i[0]!)),
  );
  return { name: `column sums ${m}x${n}`, spec: s.done(), moved: 4 * m * n };
}
/** Two sums over batch and pixels for every channel: what the gradient of batch normalisation needs. */
export function channelSums(b: number, h: number, c: number): Case {
  const x = tensor("x", [b, h, h, c]);
  const dy = tensor("dy", [b, h, h, c]);
  const [p, q] = [tensor("p", [c]), tensor("q", [c])];
  const s = new SpecBuilder("channel_sums", [c]);
  const [ci] = s.i as [never];
  s.store(
    p,
    s.sum([b, h, h], (bi, i, j) => at(dy, bi!, i!, j!, ci), "bias"),
  );
  s.store(
    q,
    s.sum([b, h, h], (bi, i, j) => mul(at(dy, bi!, i!, j!, ci), at(x, bi!, i!, j!, ci)), "scale"),
  );
  return { name: `channel sums ${b}x${h}x${h}x${c}`, spec: s.done(), moved: 8 * b * h * h * c };
}
/** A scalar: the sum of squares of a long buffer. */
export function sumOfSquares(n: number): Case {
  const x = tensor("x", [n]);
  const y = tensor("y", []);
  const s = new SpecBuilder("sum_of_squares", []);
  s.store(
    y,
    call(
      "sqrt",
      s.sum([n], (k) => mul(at(x, k!), at(x, k!))),
    ),
  );
  return { name: `norm ${n}`, spec: s.done(), moved: 4 * n };
}
export function argmaxRows(m: number, n: number): Case {
  const x = tensor("x", [m, n]);
  const t = tensor("t", [m], "i32", { low: 0, high: n - 1 });
  const y = tensor("y", [m], "bool");
  const best = tensor("best", [m], "i32");
  const s = new SpecBuilder("hits", [m]);
  const [i] = s.i as [never];
  const place = s.reduce("argmax", [n], (k) => at(x, i, k!));
  s.store(y, equal(place as never, at(t, i) as never)).store(best, place);
  return { name: `argmax ${m}x${n}`, spec: s.done(), moved: 4 * m * n };
}
export function elementwise(shape: readonly number[]): Case {
  const last = shape.at(-1)!;
  const x = tensor("x", shape);
  const b = tensor("b", [last]);
  const y = tensor("y", shape);
  const s = new SpecBuilder("affine_relu", shape);
  s.store(y, relu(add(mul(at(x, ...s.i), 2), at(b, s.i.at(-1)!))));
  return {
    name: `elementwise ${shape.join("x")}`,
    spec: s.done(),
    moved: 8 * shape.reduce((p, n) => p * n, 1) + 4 * last,
  };
}
export function gelu(n: number): Case {
  const [x, a, b, c, y] = ["x", "a", "b", "c", "y"].map((name) =>
    tensor(name, name === "x" || name === "y" ? [n] : []),
  ) as [never, never, never, never, never];
  const s = new SpecBuilder("gelu", [n]);
  const u = add(mul(at(x, s.i[0]!), at(a)), at(b));
  s.store(y, add(mul(mul(mul(u, 0.5), add(1, call("erf", mul(u, Math.SQRT1_2)))), at(c)), at(x, s.i[0]!)));
  return { name: `gelu ${n}`, spec: s.done(), moved: 8 * n };
}
/** Adam over a flat buffer, in place. */
export function adam(n: number): Case {
  const [p, m, v, g] = ["p", "m", "v", "g"].map((name) => tensor(name, [n])) as [never, never, never, never];
  const s = new SpecBuilder("adam", [n]);
  const i = s.i[0]!;
  const m1 = add(mul(at(m, i), 0.9), mul(at(g, i), 0.1));
  const v1 = add(mul(mul(at(v, i), at(v, i)), 0.999), mul(mul(at(g, i), at(g, i)), 0.001));
  s.store(p, sub(at(p, i), div(mul(m1, 1e-3), add(call("sqrt", v1), 1e-8))))
    .store(m, m1)
    .store(v, v1);
  return { name: `adam ${n}`, spec: s.done(), moved: 28 * n };
}
export function transpose(m: number, n: number): Case {
  const x = tensor("x", [n, m]);
  const y = tensor("y", [m, n]);
  const s = new SpecBuilder("transpose", [m, n]);
  s.store(y, at(x, s.i[1]!, s.i[0]!));
  return { name: `transpose ${m}x${n}`, spec: s.done(), moved: 8 * m * n };
}
/** Rows of a resident data set, bytes to f32, picked by an index. */
export function gather(rows: number, b: number, n: number): Case {
  const data = tensor("data", [rows, n], "i32", { low: 0, high: 255 });
  const index = tensor("index", [b], "i32", { low: 0, high: rows - 1 });
  const y = tensor("y", [b, n]);
  const s = new SpecBuilder("batch", [b, n]);
  s.store(y, mul(toF32(at(data, at(index, s.i[0]!) as never, s.i[1]!)), 1 / 255));
  return { name: `gather ${b}x${n}`, spec: s.done(), bytes: ["data"], moved: 5 * b * n };
}
/** Rows of bytes picked by an index, scaled, times weights. */
export function gatheredProduct(rows: number, m: number, n: number, k: number): Case {
  const data = tensor("data", [rows, k], "i32", { low: 0, high: 255 });
  const index = tensor("index", [m], "i32", { low: 0, high: rows - 1 });
  const w = tensor("w", [k, n]);
  const y = tensor("y", [m, n]);
  const s = new SpecBuilder("gathered", [m, n]);
  const [i, j] = s.i as [never, never];
  s.store(
    y,
    s.sum([k], (c) => mul(mul(toF32(at(data, at(index, i) as never, c!)), 1 / 255), at(w, c!, j))),
  );
  return { name: `gathered product ${m}x${n}x${k}`, spec: s.done(), bytes: ["data"] };
}
/** One matrix times each of a batch, the rectified second operand read with its axes in another order. */
export function batchedProduct(b: number, m: number, n: number, k: number): Case {
  const a = tensor("a", [m, k]);
  const x = tensor("x", [k, b, n]);
  const y = tensor("y", [b, m, n]);
  const s = new SpecBuilder("batched", [b, m, n]);
  const [l, i, j] = s.i as [never, never, never];
  s.store(
    y,
    s.sum([k], (c) => mul(at(a, i, c!), relu(at(x, c!, l, j)))),
  );
  return { name: `batched product ${b}x${m}x${n}x${k}`, spec: s.done() };
}
/** A convolution whose taps lie `apart`. */
export function dilatedConv(b: number, h: number, c: number, o: number, apart: number): Case {
  const x = tensor("x", [b, h, h, c]);
  const w = tensor("w", [3, 3, c, o]);
  const y = tensor("y", [b, h, h, o]);
  const s = new SpecBuilder("dilated", [b, h, h, o]);
  const [l, p, q, m] = s.i as [never, never, never, never];
  const tap = (v: never, r: never): Integer =>
    linear(
      [
        [v, 1],
        [r, apart],
      ],
      -apart,
    );
  const sum = s.sum([3, 3, c], (r, t, u) =>
    mul(atOr(x, 0, l, tap(p, r as never), tap(q, t as never), u!), at(w, r!, t!, u!, m)),
  );
  s.store(y, sum);
  return { name: `dilated conv ${apart} ${b}x${h}x${h} ${c}->${o}`, spec: s.done() };
}
/** The gradient of an embedding: every row looks at all updates. */
export function scatterRows(rows: number, b: number, n: number): Case {
  const dy = tensor("dy", [b, n]);
  const index = tensor("index", [b], "i32", { low: 0, high: rows - 1 });
  const y = tensor("y", [rows, n]);
  const s = new SpecBuilder("embedding_dw", [rows, n]);
  s.store(
    y,
    s.sum([b], (u) => select(equal(at(index, u!) as never, s.i[0]!), at(dy, u!, s.i[1]!), 0)),
  );
  return { name: `one-hot scatter ${rows}x${b}x${n}`, spec: s.done(), moved: 4 * (rows + b) * n };
}
/** A store whose target index is data, and one whose index leaves the axes' order. */
export function scatteredStore(b: number, n: number): Case {
  const x = tensor("x", [b, n]);
  const y = tensor("y", [n, b]);
  const z = tensor("z", [2 * b, n]);
  const s = new SpecBuilder("stores", [b, n]);
  const [i, j] = s.i as [never, never];
  s.store(y, at(x, i, j), [j, i]).store(z, mul(at(x, i, j), 3), [linear([[i, 2]], 1), isub(integer(n - 1), j)]);
  return { name: `stores ${b}x${n}`, spec: s.done(), moved: 12 * b * n };
}
export function reshaped(b: number, h: number, c: number): Case {
  const x = tensor("x", [b, h, c]);
  const w = tensor("w", [h * c, 8]);
  const y = tensor("y", [b, 8]);
  const s = new SpecBuilder("dense", [b, 8]);
  const flat = reshape(x, [b, h * c]);
  s.store(
    y,
    s.sum([h * c], (k) => mul(at(flat, s.i[0]!, k!), at(w, k!, s.i[1]!))),
  );
  return { name: `reshaped ${b}x${h}x${c}`, spec: s.done(), flops: 16 * b * h * c };
}
export function prefixSums(m: number, n: number): Case {
  const x = tensor("x", [m, n]);
  const y = tensor("y", [m, n]);
  const s = new SpecBuilder("prefix_sums", [m, n]);
  s.store(
    y,
    s.sum([n], (k) => select(lessEqual(k!, s.i[1]!), at(x, s.i[0]!, k!), 0)),
  );
  return { name: `prefix sums ${m}x${n}`, spec: s.done() };
}
/** Run-time batch size through pipeline constants. */
export function dynamicProduct(n: number, k: number, rows: number): Case {
  const b = dim("B");
  const a = tensor("a", [b, k]);
  const w = tensor("w", [k, n]);
  const y = tensor("y", [b, n]);
  const s = new SpecBuilder("predict", [b, n]);
  s.store(y, relu(s.sum([k], (c) => mul(at(a, s.i[0]!, c!), at(w, c!, s.i[1]!)))));
  return { name: `run-time rows ${rows}x${n}x${k}`, spec: s.done(), dims: { B: rows } };
}
export function dynamicColumns(n: number, rows: number): Case {
  const b = dim("B");
  const x = tensor("x", [b, n]);
  const [y, z] = [tensor("y", [n]), tensor("z", [n, b])];
  const s = new SpecBuilder("means", [n]);
  s.store(
    y,
    div(
      s.sum([b], (k) => at(x, k!, s.i[0]!)),
      toF32(b),
    ),
  );
  s.storeRow(z, [b], (k) => at(x, k!, s.i[0]!));
  return { name: `run-time columns ${rows}x${n}`, spec: s.done(), dims: { B: rows } };
}
/** Two columns that are walked in different orders, so that the axes stay two. */
export function dynamicPairs(rows: number): Case {
  const b = dim("B");
  const x = tensor("x", [b, 2]);
  const y = tensor("y", [b, 2]);
  const s = new SpecBuilder("swap", [b, 2]);
  s.store(y, mul(at(x, s.i[0]!, isub(integer(1), s.i[1]!)), 2));
  return { name: `run-time pairs ${rows}`, spec: s.done(), dims: { B: rows } };
}
export function dynamicScores(heads: number, t: number, d: number): Case {
  const n = dim("T");
  const q = tensor("q", [n, heads, d]);
  const k = tensor("k", [n, heads, d]);
  const y = tensor("y", [heads, n, n]);
  const s = new SpecBuilder("scores", [heads, n, n]);
  const [h, i, j] = s.i as [never, never, never];
  s.store(
    y,
    s.sum([d], (c) => select(lessEqual(j, i), mul(at(q, i, h, c!), at(k, j, h, c!)), 0)),
  );
  return { name: `run-time scores ${heads}x${t}x${t}x${d}`, spec: s.done(), dims: { T: t } };
}
/** Run-time first axis fused with others, another axis in registers. */
export function dynamicConv(rows: number, h: number, c: number, o: number): Case {
  const n = dim("B");
  const x = tensor("x", [n, h, h, c]);
  const w = tensor("w", [3, 3, c, o]);
  const y = tensor("y", [n, h, h, o]);
  const s = new SpecBuilder("conv", [n, h, h, o]);
  const [bi, i, j, oi] = s.i as [never, never, never, never];
  s.store(
    y,
    s.sum([3, 3, c], (r, t, ci) =>
      mul(
        atOr(
          x,
          0,
          bi,
          linear(
            [
              [i, 1],
              [r!, 1],
            ],
            -1,
          ),
          linear(
            [
              [j, 1],
              [t!, 1],
            ],
            -1,
          ),
          ci!,
        ),
        at(w, r!, t!, ci!, oi),
      ),
    ),
  );
  return { name: `run-time conv ${rows}x${h} ${c}->${o}`, spec: s.done(), dims: { B: rows } };
}
export function mixed(b: number): Case {
  const x = tensor("x", [b, 12]);
  const flag = tensor("flag", [b], "bool");
  const n = tensor("n", [b], "i32", { low: -3, high: 5 });
  const [y, z, c] = [tensor("y", [b, 12]), tensor("z", [b], "i32"), tensor("c", [b, 12], "bool")];
  const s = new SpecBuilder("mixed", [b]);
  const [i] = s.i as [never];
  const count = s.reduce("sum", [12], (k) => call("bool_to_i32", call("less", 0, at(x, i, k!))), "count", "i32");
  const product = s.reduce("prod", [12], (k) => add(1, mul(at(x, i, k!), 0.25)), "product");
  const least = s.reduce(
    "min",
    [12],
    (k) =>
      linear([
        [k!, 1],
        [at(n, i) as never, 2],
      ]),
    "least",
    "i32",
  );
  s.store(
    z,
    iadd(
      count as never,
      imul(modulo(at(n, i) as never, 3), 10),
      imul(least as never, 100),
      imul(floorDiv(at(n, i) as never, 3), 1000),
    ),
  );
  s.storeRow(y, [12], (k) => select(at(flag, i), mul(at(x, i, k!), product), neg(at(x, i, modulo(iadd(k!, 5), 12)))));
  s.storeRow(c, [12], (k) => and(at(flag, i), less(k!, count as never)));
  return { name: `mixed ${b}`, spec: s.done() };
}
/** Draws of both distributions: a whole tensor, and one whose rows are not whole fours. */
export function draws(m: number, n: number): Case {
  const seed = tensor("seed", [], "i32", { low: 3, high: 3 });
  const step = tensor("step", [], "i32", { low: 0, high: 9 });
  const x = tensor("x", [m, n]);
  const [y, z] = [tensor("y", [m, n]), tensor("z", [m, n])];
  const s = new SpecBuilder("draws", [m, n]);
  const draw = (distribution: "uniform" | "normal", site: number): Scalar =>
    random({ distribution, site, seed: at(seed) as never, step: at(step) as never, indices: s.i, extents: [m, n] });
  s.store(y, select(call("less", draw("uniform", 7), 0.25), 0, mul(at(x, ...s.i), 4 / 3))).store(
    z,
    mul(draw("normal", 8), 0.1),
  );
  return { name: `draws ${m}x${n}`, spec: s.done() };
}
export function constantFill(n: number): Case {
  const y = tensor("y", [n]);
  const c = tensor("c", [n], "bool");
  const s = new SpecBuilder("fill", [n]);
  s.store(y, literal(0.5)).store(c, boolean(true));
  return { name: `fill ${n}`, spec: s.done() };
}
export function scalarOnly(): Case {
  const [x, y] = [tensor("x", []), tensor("y", [])];
  const s = new SpecBuilder("counter", []);
  s.store(y, add(at(x), 1));
  return { name: "scalar", spec: s.done() };
}
export function inPlaceRows(m: number, n: number): Case {
  const x = tensor("x", [m, n]);
  const s = new SpecBuilder("normalise", [m]);
  const [i] = s.i as [never];
  const sum = s.sum([n], (k) => mul(at(x, i, k!), at(x, i, k!)));
  s.storeRow(x, [n], (k) => div(at(x, i, k!), call("sqrt", add(sum, 1e-6))));
  return { name: `in place rows ${m}x${n}`, spec: s.done(), moved: 8 * m * n };
}
/** Sums of two lengths, which threads may share, and a row of the longer one. */
export function unequalSums(m: number, n: number): Case {
  const [a, b, y] = [tensor("a", [m]), tensor("b", [n]), tensor("y", [n])];
  const s = new SpecBuilder("unequal", []);
  const short = s.sum([m], (k) => mul(at(a, k!), at(a, k!)), "short");
  const long = s.sum([n], (k) => mul(at(b, k!), at(b, k!)), "long");
  s.storeRow(y, [n], (k) => mul(at(b, k!), add(short, long)));
  return { name: `unequal sums ${m}, ${n}`, spec: s.done() };
}

export const cases: readonly Case[] = [
  product("NN", 64, 48, 40),
  product("TN", 32, 64, 24),
  product("NT", 48, 40, 32),
  product("NN", 64, 96, 32, true),
  product("NN", 33, 65, 17, true),
  product("TN", 128, 10, 64),
  product("NT", 7, 96, 130),
  product("NN", 1, 128, 64),
  product("NN", 200, 1, 64),
  product("TN", 3, 5, 1000),
  scores(2, 2, 24, 16),
  scores(2, 3, 17, 8, true),
  causalValues(2, 2, 20, 16),
  conv(2, 8, 3, 8),
  conv(4, 12, 1, 16, 3, 1, true),
  conv(2, 9, 4, 6, 5),
  conv(2, 11, 8, 16, 3, 2),
  convInput(2, 8, 8, 16),
  convWeight(4, 8, 8, 16),
  convWeight(2, 12, 1, 16),
  pool(2, 8, 6),
  poolGradient(2, 8, 12),
  softmax(20, 64),
  softmax(5, 1024),
  softmax(9, 10),
  softmaxGradient(12, 64),
  layerNorm(24, 128),
  layerNorm(7, 30),
  crossEntropy(33, 10),
  crossEntropy(16, 65),
  rowSums(50, 128),
  rowSums(5, 1001),
  columnSums(300, 64),
  columnSums(64, 10),
  channelSums(4, 6, 16),
  sumOfSquares(10_000),
  sumOfSquares(70_001),
  argmaxRows(40, 10),
  argmaxRows(6, 300),
  elementwise([16, 24, 20]),
  elementwise([7, 13]),
  elementwise([1000]),
  gelu(4096),
  adam(4096),
  adam(1001),
  transpose(40, 56),
  transpose(30, 7),
  gather(100, 16, 36),
  gatheredProduct(50, 24, 20, 36),
  batchedProduct(3, 10, 17, 25),
  dilatedConv(2, 9, 4, 12, 2),
  scatterRows(30, 64, 16),
  scatteredStore(12, 20),
  reshaped(10, 6, 8),
  prefixSums(6, 40),
  dynamicProduct(40, 32, 13),
  dynamicColumns(12, 37),
  dynamicScores(2, 19, 8),
  dynamicConv(3, 6, 4, 8),
  mixed(40),
  constantFill(300),
  draws(12, 20),
  draws(7, 9),
  scalarOnly(),
  inPlaceRows(10, 48),
  unequalSums(2, 30),
  unequalSums(70, 20),
];
