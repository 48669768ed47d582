// What the number types of a device can hold, and what of it a run may ask for.
export const largestF32 = 3.4028234663852886e38; // `inf` of the language
export const leastI32 = -2147483648;
export const mostI32 = 2147483647;
export const isI32 = (x: number): boolean => x >= leastI32 && x <= mostI32;
/** What a run-time size is at most: a tensor of more elements fits no buffer. The runtime refuses larger ones. */
export const mostSize = 2 ** 28;
