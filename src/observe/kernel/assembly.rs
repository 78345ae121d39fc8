//! An assembler of BPF instructions, with labels. See Documentation/bpf/standardization/instruction-set.rst.
//!
//! Pure, and knows nothing of what programs do. An instruction that cannot be encoded is reported by [`Assembler::finish`], so that
//! programs read as a list of instructions.

use thiserror::Error;

use super::btf::Field;

/// An instruction, `struct bpf_insn` of linux/bpf.h.
pub(crate) type Instruction = [u8; 8];

/// A register. `R0` is the result of a call, `R1` to `R5` are its arguments and lost by it, `R6` to `R9` are kept, `Fp` is the end of the
/// stack of 512 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Register {
    R0 = 0,
    R1 = 1,
    R2 = 2,
    R3 = 3,
    R4 = 4,
    R6 = 6,
    R7 = 7,
    R8 = 8,
    R9 = 9,
    Fp = 10,
}

/// The second operand of an instruction.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operand {
    Register(Register),
    Constant(i32),
}

impl From<Register> for Operand {
    fn from(register: Register) -> Self {
        Self::Register(register)
    }
}

impl From<i32> for Operand {
    fn from(constant: i32) -> Self {
        Self::Constant(constant)
    }
}

/// A place in memory, relative to a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: i64,
    /// 1, 2, 4 or 8 bytes.
    pub(super) width: u32,
}

impl From<Field> for Place {
    fn from(field: Field) -> Self {
        Self { offset: field.offset.into(), width: field.width }
    }
}

/// A place in the code to jump to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label(usize);

/// What cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum AssemblyError {
    /// A load or store of a number of bytes that no register has: the kernel has another type there.
    #[error("a BPF program cannot load or store {0} bytes")]
    Width(u32),
    /// An offset or distance beyond 32,767.
    #[error("an offset or distance in a BPF program is too large")]
    Distance,
    /// A jump to a label that was not placed.
    #[error("a label of a BPF program was not placed")]
    Label,
}

// Classes, sources, operations and sizes: the parts of an operation code.
const LOAD: u8 = 0x61;
const STORE_CONSTANT: u8 = 0x62;
const STORE: u8 = 0x63;
const ALU32: u8 = 0x04;
const JUMP: u8 = 0x05;
const ALU64: u8 = 0x07;
const LOAD_CONSTANT64: u8 = 0x18;
const FROM_REGISTER: u8 = 0x08;

/// `BPF_PSEUDO_MAP_FD`: the constant of a 64-bit load is a descriptor of a map.
const MAP_FD: u8 = 1;

/// `BPF_PSEUDO_KFUNC_CALL`: the constant of a call is the BTF number of a function of the kernel.
const KERNEL_FUNCTION: u8 = 2;

/// Assembles one program.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    code: Vec<Instruction>,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
    error: Option<AssemblyError>,
}

/// Defines a method for each operation of two operands.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $class:ident, $code:literal;)*) => {
        $(
            $(#[$doc])*
            pub(super) fn $name(&mut self, register: Register, by: impl Into<Operand>) -> &mut Self {
                self.operate($class | $code, register, by.into(), 0)
            }
        )*
    };
}

/// Defines a method for each conditional jump. Comparisons are of unsigned numbers.
macro_rules! jumps {
    ($($name:ident = $code:literal;)*) => {
        $(
            pub(super) fn $name(&mut self, register: Register, than: impl Into<Operand>, to: Label) -> &mut Self {
                self.jumps.push((self.code.len(), to));
                self.operate(JUMP | $code, register, than.into(), 0)
            }
        )*
    };
}

impl Assembler {
    operations! {
        add = ALU64, 0x00;
        multiply = ALU64, 0x20;
        or = ALU64, 0x40;
        and = ALU64, 0x50;
        shift_left = ALU64, 0x60;
        shift_right = ALU64, 0x70;
        set = ALU64, 0xb0;
        /// The upper half of the register becomes 0, as by all that work on 32 bits.
        add32 = ALU32, 0x00;
        subtract32 = ALU32, 0x10;
    }

    jumps! {
        jump_if_equal = 0x10;
        jump_if_greater = 0x20;
        jump_if_greater_or_equal = 0x30;
        jump_if_not_equal = 0x50;
    }

    /// Loads an unsigned number from memory.
    pub(super) fn load(&mut self, to: Register, base: Register, place: impl Into<Place>) -> &mut Self {
        let place = place.into();
        let (code, offset) = (LOAD | self.size(place.width), self.offset(place.offset));
        self.push(code, to, base as u8, offset, 0)
    }

    /// Stores as much of a register as the place is wide.
    pub(super) fn store(&mut self, base: Register, place: impl Into<Place>, from: impl Into<Operand>) -> &mut Self {
        let place = place.into();
        let (size, offset) = (self.size(place.width), self.offset(place.offset));
        match from.into() {
            Operand::Register(from) => self.push(STORE | size, base, from as u8, offset, 0),
            Operand::Constant(number) => self.push(STORE_CONSTANT | size, base, 0, offset, number),
        }
    }

    /// Loads the address of a map, which the kernel puts there.
    pub(super) fn load_map(&mut self, to: Register, fd: i32) -> &mut Self {
        self.push(LOAD_CONSTANT64, to, MAP_FD, 0, fd).push(0, Register::R0, 0, 0, 0)
    }

    /// Calls a helper by its number, `BPF_FUNC_…` of linux/bpf.h.
    pub(super) fn call(&mut self, helper: i32) -> &mut Self {
        self.push(JUMP | 0x80, Register::R0, 0, 0, helper)
    }

    /// Calls a function of the kernel by its BTF number, a kfunc.
    pub(super) fn call_function(&mut self, function: i32) -> &mut Self {
        self.push(JUMP | 0x80, Register::R0, KERNEL_FUNCTION, 0, function)
    }

    pub(super) fn exit(&mut self) -> &mut Self {
        self.push(JUMP | 0x90, Register::R0, 0, 0, 0)
    }

    pub(super) fn jump(&mut self, to: Label) -> &mut Self {
        self.jumps.push((self.code.len(), to));
        self.push(JUMP, Register::R0, 0, 0, 0)
    }

    /// A label that is still to be placed.
    pub(super) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Places a label before the next instruction.
    pub(super) fn place(&mut self, label: Label) -> &mut Self {
        if let Some(place) = self.labels.get_mut(label.0) {
            *place = Some(self.code.len());
        }
        self
    }

    /// The program.
    ///
    /// # Errors
    ///
    /// The first instruction that could not be encoded.
    pub(super) fn finish(mut self) -> Result<Vec<Instruction>, AssemblyError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        for (at, label) in self.jumps {
            let target = self.labels.get(label.0).copied().flatten().ok_or(AssemblyError::Label)?;
            let distance = i64::try_from(target).ok().zip(i64::try_from(at).ok()).map(|(target, at)| target - at - 1);
            let distance = distance.and_then(|it| i16::try_from(it).ok()).ok_or(AssemblyError::Distance)?;
            if let Some([_, _, low, high, ..]) = self.code.get_mut(at) {
                [*low, *high] = distance.to_ne_bytes();
            }
        }
        Ok(self.code)
    }

    fn operate(&mut self, code: u8, register: Register, by: Operand, offset: i16) -> &mut Self {
        match by {
            Operand::Register(other) => self.push(code | FROM_REGISTER, register, other as u8, offset, 0),
            Operand::Constant(number) => self.push(code, register, 0, offset, number),
        }
    }

    fn push(&mut self, code: u8, destination: Register, source: u8, offset: i16, constant: i32) -> &mut Self {
        let destination = destination as u8;
        // Two bit fields, which the compiler begins at the end that is first in memory.
        let registers =
            if cfg!(target_endian = "little") { source << 4 | destination } else { destination << 4 | source };
        let [low, high] = offset.to_ne_bytes();
        let [a, b, c, d] = constant.to_ne_bytes();
        self.code.push([code, registers, low, high, a, b, c, d]);
        self
    }

    /// Has [`Assembler::finish`] report this, unless something was wrong before.
    pub(super) fn fail(&mut self, error: AssemblyError) -> &mut Self {
        self.error.get_or_insert(error);
        self
    }

    fn size(&mut self, width: u32) -> u8 {
        match width {
            1 => 0x10,
            2 => 0x08,
            4 => 0x00,
            8 => 0x18,
            _ => {
                self.fail(AssemblyError::Width(width));
                0
            }
        }
    }

    fn offset(&mut self, offset: i64) -> i16 {
        i16::try_from(offset).unwrap_or_else(|_| {
            self.fail(AssemblyError::Distance);
            0
        })
    }
}

#[cfg(test)]
mod tests;
