// A table by three whole numbers of 32 bits. Open addressing: a Map has no key of several numbers without a string, or a Map for each.
export class Triples<T> {
  size = 0;
  private keys = new Int32Array(3 * 1024);
  private values: (T | undefined)[] = new Array<T | undefined>(1024).fill(undefined);

  get(a: number, b: number, c: number): T | undefined {
    return this.values[this.slot(a, b, c)];
  }
  /** Of a key that has no value yet. */
  set(a: number, b: number, c: number, value: T): void {
    if (2 * ++this.size > this.values.length) this.grow();
    this.put(a, b, c, value);
  }
  private put(a: number, b: number, c: number, value: T): void {
    const slot = this.slot(a, b, c);
    this.keys[3 * slot] = a;
    this.keys[3 * slot + 1] = b;
    this.keys[3 * slot + 2] = c;
    this.values[slot] = value;
  }
  /** Where the key is, or would be. */
  private slot(a: number, b: number, c: number): number {
    const { keys, values } = this;
    let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77) ^ Math.imul(c, 0xc2b2ae3d);
    hash ^= hash >>> 15;
    for (let slot = hash & (values.length - 1); ; slot = (slot + 1) & (values.length - 1))
      if (values[slot] === undefined || (keys[3 * slot] === a && keys[3 * slot + 1] === b && keys[3 * slot + 2] === c))
        return slot;
  }
  private grow(): void {
    const { keys, values } = this;
    this.keys = new Int32Array(2 * keys.length);
    this.values = new Array<T | undefined>(2 * values.length).fill(undefined);
    values.forEach((value, i) => {
      if (value !== undefined) this.put(keys[3 * i]!, keys[3 * i + 1]!, keys[3 * i + 2]!, value);
    });
  }
}
