# The copy task: eight random letters, a line, and then the same letters again, which only looking back can tell (Graves et al. 2014).
# One block of causal attention finds them; see `copied`, the share of the letters behind the line that are right, go to 1 at once when the heads lock.
const letters = 16
const length = 8
data rows {
  rows: 20000
  field ids: i32[2 * length + 1] in 0..letters + 1 = repeated(randint(0, letters)[length])
  holdout test = 0.05
}
## The letters, the line (number `letters`), the letters.
fn repeated(x: i32[length] in 0..letters) -> i32[2 * length + 1] in 0..letters + 1 =
  for i in 0..2 * length + 1: where(i == length, letters, x[where(i < length, i, i - length - 1)] ?? 0)
