"use strict";
// Undo DEFLATE (RFC 1951). The browser's own DecompressionStream is asynchronous, and printing
// waits for nothing that a page does later.
const inflate = (() => {
  const LONGEST = 15; // bits of a code
  const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  const codes = (lengths) => {
    const next = new Uint16Array(LONGEST + 2);
    for (const length of lengths) if (length) next[length + 1] += 1;
    for (let bits = 1; bits <= LONGEST; bits += 1) next[bits] = (next[bits] + next[bits - 1]) << 1;
    const table = new Uint16Array(1 << LONGEST); // by the next bits: symbol and length
    lengths.forEach((length, symbol) => {
      if (!length) return;
      const code = next[length];
      next[length] += 1;
      let first = 0;
      for (let bit = 0; bit < length; bit += 1) first |= ((code >> bit) & 1) << (length - 1 - bit);
      for (let at = first; at < table.length; at += 1 << length) table[at] = (symbol << 4) | length;
    });
    return table;
  };
  const fixed = Array.from({ length: 288 }, (_, at) => (at < 144 ? 8 : at < 256 ? 9 : at < 280 ? 7 : 8));
  return (packed) => {
    let out = new Uint8Array(packed.length * 4);
    let [size, at, hold, filled] = [0, 0, 0, 0];
    const fill = (count) => {
      while (filled < count) {
        hold |= (packed[at] || 0) << filled;
        at += 1;
        filled += 8;
      }
    };
    const drop = (count) => {
      hold >>>= count;
      filled -= count;
    };
    const bits = (count) => {
      fill(count);
      const value = hold & ((1 << count) - 1);
      drop(count);
      return value;
    };
    const symbol = (table) => {
      fill(LONGEST);
      const entry = table[hold & ((1 << LONGEST) - 1)];
      if (!entry) throw new Error("the chart library is damaged");
      drop(entry & 15);
      return entry >> 4;
    };
    const room = (count) => {
      if (at > packed.length + 4) throw new Error("the chart library is cut short");
      if (size + count <= out.length) return;
      const larger = new Uint8Array(2 * out.length + count);
      larger.set(out);
      out = larger;
    };
    const lengthsOf = (count, table) => {
      const lengths = [];
      while (lengths.length < count) {
        const what = symbol(table);
        if (what < 16) lengths.push(what);
        else {
          const value = what === 16 ? lengths[lengths.length - 1] : 0;
          const times = what === 16 ? 3 + bits(2) : what === 17 ? 3 + bits(3) : 11 + bits(7);
          for (let again = 0; again < times; again += 1) lengths.push(value);
        }
      }
      return lengths;
    };
    const block = (literals, distances) => {
      for (;;) {
        const what = symbol(literals);
        if (what === 256) return;
        if (what < 256) {
          room(1);
          out[size] = what;
          size += 1;
          continue;
        }
        const step = what - 257;
        const more = step < 8 || step === 28 ? 0 : (step >> 2) - 1;
        const start = step === 28 ? 258 : step < 8 ? step + 3 : ((4 + (step & 3)) << more) + 3;
        const length = start + bits(more);
        const far = symbol(distances);
        const further = far < 4 ? 0 : (far >> 1) - 1;
        const back = (far < 4 ? far + 1 : ((2 + (far & 1)) << further) + 1) + bits(further);
        room(length);
        for (const end = size + length; size < end; size += 1) out[size] = out[size - back];
      }
    };
    for (let last = 0; !last; ) {
      last = bits(1);
      const kind = bits(2);
      if (kind === 0) {
        drop(filled & 7);
        const count = bits(16);
        bits(16);
        room(count);
        for (let byte = 0; byte < count; byte += 1) out[size + byte] = bits(8);
        size += count;
      } else if (kind === 1) block(codes(fixed), codes(Array(30).fill(5)));
      else {
        const [many, far, given] = [257 + bits(5), 1 + bits(5), 4 + bits(4)];
        const short = Array(19).fill(0);
        for (let place = 0; place < given; place += 1) short[ORDER[place]] = bits(3);
        const lengths = lengthsOf(many + far, codes(short));
        block(codes(lengths.slice(0, many)), codes(lengths.slice(many)));
      }
    }
    return out.subarray(0, size);
  };
})();
