# A network makes up names of places, letter by letter, after it has read some three hundred countries and capitals. At every letter gated units say
# how likely each next one is (Sutskever et al. 2011). See the loss, in nats a letter, fall from log(27) = 3.3, and what `invent` writes, letters as
# numbers: guenia, maltey, vilsson can be said aloud and stand on no map. Reaches 2.5 on held-out names (seed 1); longer training learns the list by heart.
const vocab = 27 # 0 stands in front of a name and behind it; a is 1
const longest = 14
const hidden = 64

data places {
  field name: i32[longest] in 0..vocab = chars("../data/places.txt", pad: longest)
  field length: i32 in 1..longest = char_count("../data/places.txt", pad: longest)
  holdout test = 0.1
}

## The logits of the letter behind, and the state that goes on.
model speller(letter: i32[B] in 0..vocab, h: f32[B, hidden]) -> (f32[B, vocab], f32[B, hidden]) {
  let state_after = (letter |> Embedding(vocab, 16)) |> GRUCell(hidden)(h)
  return (state_after |> Linear(vocab), state_after)
}
## The same along names that are known.
fn spell(name: i32[B, T] in 0..vocab) -> f32[B, T, vocab] =
  scan (letter in name along T; h = zeros[B, hidden]) {
    let (logits, after) = speller(letter, h)
    next h = after
    yield logits
  }

train fit on places(batch: 32, seed: 1) {
  let before = for b, t in 0..longest: name[b, t - 1] ?? 0
  let counts = length_mask(length + 1, longest) # the letters and one end
  let losses = cross_entropy(spell(before), name, reduce: each)
  minimize mean(masked_mean(losses, counts)) by clip_norm(1) >> adam(lr: 5e-3)
  epochs: 7
}

## Eight names as letter numbers, drawn by the probabilities and filled up with 0.
export fn invent(temperature: f32 = 0.7) -> i32[8, longest] {
  let drawn = scan (k in 0..longest; letter = i32(zeros[8]), h = zeros[8, hidden]) {
    let (logits, after) = speller(letter, h)
    let c = where(k > 0 and letter == 0, 0, categorical(logits / temperature))
    next letter = c, h = after
    yield c
  }
  return transpose(drawn)
}
