# Sorting: order, places and counts of values. By comparing all pairs up to 512 elements, else, and on run-time axes (as the rows of a metric over a split are), by merging: n (log2 n)^2 steps in two launches for each doubling.

## For every element its place in descending order, 0 = largest; equal elements keep their order. A permutation. Compares all pairs.
fn ranks(x: f32[...S, N]) -> i32[...S, N] =
  for ..., i: sum over j: x[..., j] > x[..., i] or x[..., j] == x[..., i] and j < i
## 2^n for n in 0..31, as a whole number.
fn power_of_two(n: i32) -> i32 = i32(prod over t in 0..31: where(t < n, 2.0, 1.0))
## The places of the elements of the last axis in ascending order; equal elements keep theirs. No gradient.
fn order_ascending(x: f32[...S, N]) -> i32[...S, N] in 0..N =
  if is_known(N) and N <= 512 then inverse_permutation(ranks(-x)) else merged_order(x)
## The inverse of a permutation of the last axis.
fn inverse_permutation(r: i32[...S, N]) -> i32[...S, N] in 0..N = for ..., k in 0..N: argmax over i: r[..., i] == k
## The powers of two from 2^(first + n - 1) down to 2^first.
fn falling_powers(n: int, first: int = 0) -> i32[n] = for t in 0..n: power_of_two(first + n - 1 - t)
## order_ascending by merging (von Neumann 1945): runs of 64 elements by comparing all pairs, then two runs after two become one, in which every place finds by a binary search how many elements of the first run stand before it.
fn merged_order(x: f32[...S, N]) -> i32[...S, N] in 0..N {
  let levels = if is_known(N) then max(ceil(log2(max(N, 1))), 7) else 31
  let known = stop(x)
  let here = for i in 0..N: i
  let begin = here // 64 * 64
  let rank = for ..., i:
    begin[i]
      + sum over j in begin[i]..min(begin[i] + 64, N):
        known[..., j] < known[..., i] or known[..., j] == known[..., i] and j < i
  let place = for ..., i in 0..N: begin[i] + argmax over j in 0..64: (rank[..., begin[i] + j] ?? -1) == i
  let runs = min(max(place, 0), N - 1)
  let (_, order) = fold (
    run in flip(falling_powers(levels - 6, first: 6), 0);
    key = take_last(known, runs),
    place = runs
  ) {
    let first = here // max(run, 1) // 2 * 2 * run
    let second = min(first + run, N)
    let end = second + min(run, N - second)
    let at = |j| for ..., i: key[..., j[..., i]] ?? inf
    let is_first = |mine, other| mine < second and (other >= end or at(mine) <= at(other))
    let taken = fold (bit in falling_powers(levels); taken = 0 * place) {
      let mine = first + taken + bit - 1
      let other = second + here - 1 - mine
      next taken = where(other >= second and is_first(mine, other), taken + bit, taken)
    }
    let mine = first + taken
    let other = second + here - mine
    let source = where(is_first(mine, other), mine, other)
    next key = at(source), place = for ..., i: place[..., source[..., i]] ?? 0
  }
  return min(max(order, 0), N - 1)
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
## The k largest elements of `axis`, in descending order; an axis of known size must have as many, of a shorter one the least is repeated. Also called topk.
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
  return for ..., j in 0..k: order[..., min(j, N - 1)]
}
## The middle element of `axis` in order, the lower one of two; its gradient goes to that element.
fn median(x: f32[...S], axis: int = -1) {
  let n = size(x, axis: axis)
  return move_axis(sort(x, axis), axis, -1)[..., min((n - 1) // 2, n - 1)]
}
## How many elements of the ascending `sorted` are below each v, or with `right` at most v: where v would be inserted. A binary search. No gradient. Also called bucketize.
fn searchsorted(sorted: f32[N], v: f32[...S], right: bool = false) -> i32[...S] {
  let levels = if is_known(N) then 1 + ceil(log2(max(N, 1))) else 31
  return fold (d in falling_powers(levels); at = for ...: i32(0 * v[...])) {
    let reached = for ...: sorted[at[...] + d - 1] ?? inf
    let fits = for ...: at[...] <= N - d and (if right then reached[...] <= v[...] else reached[...] < v[...])
    next at = for ...: where(fits[...], at[...] + d, at[...])
  }
}
## How many elements of x are below each v, or with `right` at most v. No gradient.
fn count_below(x: f32[N], v: f32[...S], right: bool = false) -> i32[...S] {
  let is_short = is_known(N) and N <= 512
  return if not is_short then searchsorted(sort(x), v, right)
  else if right then (for ...: sum over n: x[n] <= v[...])
  else (for ...: sum over n: x[n] < v[...])
}
## How many elements lie in each of `bins` equal parts of lo..hi; hi belongs to the last, what lies outside to none. Also called histc.
fn histogram(x: f32[...S], bins: int in 1..inf, lo: f32, hi: f32) -> i32[bins] {
  let at = for ...: where(x[...] == hi, bins - 1.0, floor((x[...] - lo) * bins / (hi - lo)))
  return for b in 0..bins: sum over ...: at[...] == b
}
## How often each of the numbers 0..k occurs.
fn bincount(i: i32[...S] in 0..k, k: int) -> i32[k] = for c in 0..k: sum over ...: i[...] == c
