# Whatever ...S stands for, whole numbers and others do not combine.
fn shifted(x: f32[...S], n: i32[...S]) = x + n
