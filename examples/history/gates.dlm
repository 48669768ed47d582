# A threshold unit decides AND, OR and NAND of its two inputs by three numbers, as McCulloch and Pitts drew it in 1943.
# Nothing is learned: the weights alone decide which gate it is, and three units in two layers make XOR, which none of them is. Run it with
# `dlm run examples/history/gates.dlm gates`.

## 1 where v a + w b reaches the threshold, else 0.
fn unit(a: f32[N], b: f32[N], v: f32, w: f32, threshold: f32) -> f32[N] =
  heaviside(v * a + w * b - threshold, at_zero: 1)
fn gate_and(a: f32[N], b: f32[N]) -> f32[N] = unit(a, b, 1, 1, 2)
fn gate_or(a: f32[N], b: f32[N]) -> f32[N] = unit(a, b, 1, 1, 1)
fn gate_nand(a: f32[N], b: f32[N]) -> f32[N] = unit(a, b, -1, -1, -1)
fn gate_xor(a: f32[N], b: f32[N]) -> f32[N] = gate_and(gate_or(a, b), gate_nand(a, b))

## AND, OR, NAND and XOR of every pair.
export fn gates(a: f32[N], b: f32[N]) -> (f32[N], f32[N], f32[N], f32[N]) =
  (gate_and(a, b), gate_or(a, b), gate_nand(a, b), gate_xor(a, b))
