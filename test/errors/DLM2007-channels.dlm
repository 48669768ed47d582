model a(x: f32[B, 3, 32, 32]) = x |> Conv2d(8, 5)
export fn a_of(x: f32[B, 3, 32, 32]) = a(x)
model b(x: f32[B, 1, 28, 28]) = x |> MaxPool2d(2)
export fn b_of(x: f32[B, 1, 28, 28]) = b(x)
