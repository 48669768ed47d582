# Sorting: order, places and counts of values. By comparing all pairs up to 512 elements and on run-time axes (as the rows of a metric over a split are), else by a bitonic network of (log2 n)^2 / 2 passes.

## For every element its place in descending order, 0 = largest; equal elements keep their order. A permutation. Compares all pairs.
fn ranks(x: f32[...S, N]) -> i32[...S, N] =
  for ..., i: sum over j: x[..., j] > x[..., i] or x[..., j] == x[..., i] and j < i
## 2^n for n in 0..31, as a whole number.
fn power_of_two(n: i32) -> i32 = i32(prod over t in 0..31: where(t < n, 2.0, 1.0))
## The places of the elements of the last axis in ascending order; equal elements keep theirs. No gradient.
fn order_ascending(x: f32[...S, N]) -> i32[...S, N] in 0..N {
  let is_long = is_known(N) and N > 512
  return if is_long then bitonic_order(x) else inverse_permutation(ranks(-x))
}
## The inverse of a permutation of the last axis.
fn inverse_permutation(r: i32[...S, N]) -> i32[...S, N] in 0..N = for ..., k in 0..N: argmax over i: r[..., i] == k
## order_ascending by a bitonic network (Batcher 1968): pass (s, q) compares and exchanges elements 2^q apart, in runs of 2^(s + 1) that are sorted up and down in turn.
fn bitonic_order(x: f32[...S, N]) -> i32[...S, N] in 0..N {
  let levels = ceil(log2(N))
  let n = 2^levels
  # of every pass the run's length and the distance
  let (runs, distances) = scan (t in 0..levels * (levels + 1) / 2; s = 0, q = 0) {
    next s = where(q == 0, s + 1, s), q = where(q == 0, s + 1, q - 1)
    yield (2 * power_of_two(s), power_of_two(q))
  }
  let known = stop(x)
  let keys = for ..., i in 0..n: known[..., i] ?? inf
  let own = for ..., i in 0..n: i + i32(0 * keys[..., i])
  let (_, order) = fold (run in runs, distance in distances; key = keys, place = own) {
    let d = max(distance, 1)
    let other = for i in 0..n: where(i // d % 2 == 0, i + d, i - d)
    let other_key = for ..., i in 0..n: key[..., other[i]] ?? inf
    let other_place = for ..., i in 0..n: place[..., other[i]] ?? 0
    let wants_less = for i in 0..n: (i // d % 2 == 0) == (i // max(run, 1) % 2 == 0)
    let is_less = for ..., i: key[..., i] < other_key[..., i] or key[..., i] == other_key[..., i] and place[..., i] < other_place[..., i]
    next key = for ..., i: where(is_less[..., i] == wants_less[i], key[..., i], other_key[..., i])
    next place = for ..., i: where(is_less[..., i] == wants_less[i], place[..., i], other_place[..., i])
  }
  return for ..., i in 0..N: min(max(order[..., i], 0), N - 1)
}
## The places of the elements of `axis` in ascending order, or `descending`; equal elements keep theirs. No gradient.
fn argsort(x: f32[...S], axis: int = -1, descending: bool = false) {
  let y = move_axis(x, axis, -1)
  return move_axis(order_ascending(if descending then -y else y), -1, axis)
}
## The elements of `axis` in ascending order, or `descending`.
fn sort(x: f32[...S], axis: int = -1, descending: bool = false) -> f32[...S] {
  let y = move_axis(x, axis, -1)
  return move_axis(take_last(y, order_ascending(if descending then -y else y)), -1, axis)
}
## The elements of `axis` in descending order.
fn sort_descending(x: f32[...S], axis: int = -1) -> f32[...S] = sort(x, axis, descending: true)
## The places of the elements of `axis` in descending order.
fn order_descending(x: f32[...S], axis: int = -1) = argsort(x, axis, descending: true)
## The k largest elements of `axis`, in descending order; an axis of known size must have as many. Also called topk.
fn top_k(x: f32[...S], k: int in 0..inf, axis: int = -1) {
  let y = move_axis(x, axis, -1)
  return move_axis(take_last(y, largest_places(y, k)), -1, axis)
}
## The places of the k largest elements of `axis`, in descending order; of equal ones the first come first. No gradient. Also called argtopk.
fn arg_top_k(x: f32[...S], k: int in 0..inf, axis: int = -1) = move_axis(largest_places(move_axis(x, axis, -1), k), -1, axis)
## The places of the k largest elements of the last axis.
fn largest_places(x: f32[...S, N], k: int) -> i32[...S, k] in 0..N {
  let others = zeros[N - k]
  let order = order_ascending(-x)
  return for ..., j in 0..k: order[..., j] ?? 0
}
## The middle element of `axis` in order, the lower one of two; its gradient goes to that element.
fn median(x: f32[...S], axis: int = -1) {
  let s = move_axis(sort(x, axis), axis, -1)
  return s[..., (size(x, axis: axis) - 1) // 2]
}
## How many elements of the ascending `sorted` are below each v, or with `right` at most v: where v would be inserted. A binary search. No gradient. Also called bucketize.
fn searchsorted(sorted: f32[N], v: f32[...S], right: bool = false) -> i32[...S] {
  let levels = if is_known(N) then 1 + ceil(log2(max(N, 1))) else 31
  return fold (t in 0..levels; at = for ...: i32(0 * v[...])) {
    let d = power_of_two(levels - 1 - t)
    let reached = for ...: sorted[at[...] + d - 1] ?? inf
    let fits = for ...: at[...] <= N - d and (if right then reached[...] <= v[...] else reached[...] < v[...])
    next at = for ...: where(fits[...], at[...] + d, at[...])
  }
}
## How many elements of x are below each v, or with `right` at most v. No gradient.
fn count_below(x: f32[N], v: f32[...S], right: bool = false) -> i32[...S] {
  let is_long = is_known(N) and N > 512
  return if is_long then searchsorted(sort(x), v, right)
         else if right then (for ...: sum over n: x[n] <= v[...]) else (for ...: sum over n: x[n] < v[...])
}
## How many elements lie in each of `bins` equal parts of lo..hi; hi belongs to the last, what lies outside to none. Also called histc.
fn histogram(x: f32[...S], bins: int in 1..inf, lo: f32, hi: f32) -> i32[bins] {
  let at = for ...: where(x[...] == hi, bins - 1.0, floor((x[...] - lo) * bins / (hi - lo)))
  return for b in 0..bins: sum over ...: at[...] == b
}
## How often each of the numbers 0..k occurs.
fn bincount(i: i32[...S] in 0..k, k: int) -> i32[k] = for c in 0..k: sum over ...: i[...] == c
