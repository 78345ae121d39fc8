//! Instructions against the numbers of linux/bpf.h.

use super::Register::{Fp, R0, R1, R2, R7};
use super::*;

/// `struct bpf_insn`, as the compiler lays it out.
#[repr(C)]
struct Expected {
    code: u8,
    registers: u8,
    offset: i16,
    constant: i32,
}

fn word(code: u8, destination: u8, source: u8, offset: i16, constant: i32) -> Instruction {
    let registers = if cfg!(target_endian = "little") { destination | source << 4 } else { destination << 4 | source };
    let expected = Expected { code, registers, offset, constant };
    let mut word = [0; size_of::<Expected>()];
    word[0] = expected.code;
    word[1] = expected.registers;
    word[std::mem::offset_of!(Expected, offset)..][..2].copy_from_slice(&expected.offset.to_ne_bytes());
    word[std::mem::offset_of!(Expected, constant)..].copy_from_slice(&expected.constant.to_ne_bytes());
    word
}

const fn place(offset: i64, width: u32) -> Place {
    Place { offset, width }
}

/// Each operation code is the sum of a class, a size or operation, and a source or mode.
#[test]
fn operations() {
    // BPF_LDX 1, BPF_ST 2, BPF_STX 3, BPF_ALU 4, BPF_JMP 5, BPF_ALU64 7; BPF_X 8, BPF_K 0; BPF_MEM 0x60.
    let mut a = Assembler::default();
    a.set(R7, R1).set(R0, -5).add(R1, R2).add(R1, -8).multiply(R1, 40).or(R1, R2).and(R1, 63);
    a.shift_left(R1, 3).shift_right(R1, 6).shift_right(R1, R2).add32(R1, R2).subtract32(R1, R2);
    let expected = [
        word(0xb0 + 8 + 7, 7, 1, 0, 0),
        word(0xb0 + 7, 0, 0, 0, -5),
        word(8 + 7, 1, 2, 0, 0),
        word(7, 1, 0, 0, -8),
        word(0x20 + 7, 1, 0, 0, 40),
        word(0x40 + 8 + 7, 1, 2, 0, 0),
        word(0x50 + 7, 1, 0, 0, 63),
        word(0x60 + 7, 1, 0, 0, 3),
        word(0x70 + 7, 1, 0, 0, 6),
        word(0x70 + 8 + 7, 1, 2, 0, 0),
        word(8 + 4, 1, 2, 0, 0),
        word(0x10 + 8 + 4, 1, 2, 0, 0),
    ];
    assert_eq!(a.finish(), Ok(expected.to_vec()));
}

#[test]
fn memory() {
    let mut a = Assembler::default();
    a.load(R1, R7, place(16, 8)).load(R1, Fp, place(-4, 4)).load(R1, R7, place(2, 2)).load(R1, R7, place(32767, 1));
    a.store(Fp, place(-8, 8), R1).store(Fp, place(-12, 4), 7);
    // BPF_DW 0x18, BPF_W 0, BPF_H 8, BPF_B 0x10.
    let expected = [
        word(0x60 + 0x18 + 1, 1, 7, 16, 0),
        word(0x60 + 1, 1, 10, -4, 0),
        word(0x60 + 8 + 1, 1, 7, 2, 0),
        word(0x60 + 0x10 + 1, 1, 7, 32767, 0),
        word(0x60 + 0x18 + 3, 10, 1, -8, 0),
        word(0x60 + 2, 10, 0, -12, 7),
    ];
    assert_eq!(a.finish(), Ok(expected.to_vec()));
}

/// Distances count from the next instruction.
#[test]
fn jumps() {
    let mut a = Assembler::default();
    let [back, out] = [a.label(), a.label()];
    a.place(back).jump_if_equal(R1, 0, out).jump_if_not_equal(R1, R2, out).jump_if_greater(R1, 16, back);
    a.jump_if_greater_or_equal(R1, R2, back).jump(out).call(127).place(out).exit();
    let expected = [
        word(0x10 + 5, 1, 0, 5, 0),
        word(0x50 + 8 + 5, 1, 2, 4, 0),
        word(0x20 + 5, 1, 0, -3, 16),
        word(0x30 + 8 + 5, 1, 2, -4, 0),
        word(5, 0, 0, 1, 0),
        word(0x80 + 5, 0, 0, 0, 127),
        word(0x90 + 5, 0, 0, 0, 0),
    ];
    assert_eq!(a.finish(), Ok(expected.to_vec()));
}

/// A constant of 64 bits takes two instructions, which a jump over it has to count.
#[test]
fn map() {
    let mut a = Assembler::default();
    let over = a.label();
    a.jump(over).load_map(R1, 9).place(over).exit();
    let expected = [word(5, 0, 0, 2, 0), word(0x18, 1, 1, 0, 9), word(0, 0, 0, 0, 0), word(0x90 + 5, 0, 0, 0, 0)];
    assert_eq!(a.finish(), Ok(expected.to_vec()));
}

#[test]
fn refused() {
    let refused = |write: &dyn Fn(&mut Assembler)| {
        let mut a = Assembler::default();
        write(&mut a);
        a.exit();
        a.finish().expect_err("refused")
    };
    assert_eq!(refused(&|a| _ = a.load(R1, R7, place(0, 3))), AssemblyError::Width(3));
    assert_eq!(refused(&|a| _ = a.store(Fp, place(0, 16), R1)), AssemblyError::Width(16));
    assert_eq!(refused(&|a| _ = a.load(R1, R7, place(32768, 8))), AssemblyError::Distance);
    assert_eq!(refused(&|a| _ = a.load(R1, R7, place(32768, 8)).load(R1, R7, place(0, 3))), AssemblyError::Distance);
    let unplaced = |a: &mut Assembler| {
        let label = a.label();
        a.jump(label);
    };
    assert_eq!(refused(&unplaced), AssemblyError::Label);
    let far = |a: &mut Assembler| {
        let label = a.label();
        a.jump(label);
        for _ in 0..32768 {
            a.exit();
        }
        a.place(label);
    };
    assert_eq!(refused(&far), AssemblyError::Distance);
}
