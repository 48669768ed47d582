// Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

const multiply = (a: number, b: number): [high: number, low: number] => {
  const product = BigInt(a >>> 0) * BigInt(b >>> 0);
  return [Number(product >> 32n), Number(product & 0xffffffffn)];
};

/** Four words of 32 random bits for a counter under a key. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter.map((c) => c >>> 0) as [number, number, number, number];
  let k0 = key[0] >>> 0;
  let k1 = key[1] >>> 0;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiply(0xd2511f53, c0);
    const [high1, low1] = multiply(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Word e of the stream (seed, site) at a step, as a multiple of 2^-24 in [0, 1). */
export function uniform(seed: number, site: number, step: number, e: number): number {
  const words = philox([Math.floor(e / 4), step, 0, 0], [seed, site]);
  return (words[e % 4]! >>> 8) / 16777216;
}
/** Element e of a normal stream: Box-Muller of words 2e and 2e + 1. */
export function normal(seed: number, site: number, step: number, e: number): number {
  const u = uniform(seed, site, step, 2 * e);
  const v = uniform(seed, site, step, 2 * e + 1);
  return Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
}
