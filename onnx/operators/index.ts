// The operators that are translated, by name, and those that are left out on purpose, with the reason.
import { attentions } from "./attention.ts";
import { elementwise } from "./elementwise.ts";
import { indexing } from "./indexing.ts";
import { layers } from "./layers.ts";
import type { Operators } from "./operator.ts";
import { recurrences } from "./recurrent.ts";
import { reductions } from "./reductions.ts";
import { shapes } from "./shapes.ts";
import { resampling } from "./resampling.ts";
import { training } from "./training.ts";
import { windowed } from "./windows.ts";

export const operators: Operators = {
  ...elementwise,
  ...reductions,
  ...shapes,
  ...indexing,
  ...resampling,
  ...recurrences,
  ...attentions,
  ...training,
  ...windowed,
  ...layers,
};

const dataDependent = "the shape of its result depends on data";
const random = "its draws are another generator's";
const sequences = "dlm has no sequences";
const strings = "dlm has no strings as values";
const quantised = "dlm has no numbers of 8 bits";
const bits = "dlm has no operations on bits";
const complex = "dlm has no complex numbers";
const notFinite = "dlm has no NaN, and its infinity is the largest number";
export const leftOut: Readonly<Record<string, string>> = {
  NonZero: dataDependent,
  Unique: dataDependent,
  Compress: dataDependent,
  NonMaxSuppression: dataDependent,
  RandomNormal: random,
  RandomNormalLike: random,
  RandomUniform: random,
  RandomUniformLike: random,
  Bernoulli: random,
  Multinomial: random,
  SequenceAt: sequences,
  SequenceConstruct: sequences,
  SequenceEmpty: sequences,
  SequenceErase: sequences,
  SequenceInsert: sequences,
  SequenceLength: sequences,
  SequenceMap: sequences,
  SplitToSequence: sequences,
  ConcatFromSequence: sequences,
  Optional: sequences,
  OptionalGetElement: sequences,
  OptionalHasElement: sequences,
  StringConcat: strings,
  StringNormalizer: strings,
  StringSplit: strings,
  RegexFullMatch: strings,
  TfIdfVectorizer: strings,
  QuantizeLinear: quantised,
  DequantizeLinear: quantised,
  DynamicQuantizeLinear: quantised,
  QLinearConv: quantised,
  QLinearMatMul: quantised,
  ConvInteger: quantised,
  MatMulInteger: quantised,
  BitShift: bits,
  BitwiseAnd: bits,
  BitwiseOr: bits,
  BitwiseXor: bits,
  BitwiseNot: bits,
  BitCast: bits,
  DFT: complex,
  STFT: complex,
  IsNaN: notFinite,
  IsInf: notFinite,
  ImageDecoder: "dlm reads pictures as data, not in a formula",
};
