# Nothing calls the function; its result is not what it declares.
fn centred(x: f32[B, D]) -> f32[B] = x - mean(x, axis: 0)
