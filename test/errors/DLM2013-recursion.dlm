fn factorial(n: int) = if n == 0 then 1 else n * factorial(n - 1)
const a = b + 1
const b = a - 1
export fn f(x: f32) = x * factorial(3)
