//! A small assembler for eBPF: instructions (RFC 9669), labels, and nothing else.
//!
//! Jumps name a [`Label`]; [`Assembler::finish`] turns labels into offsets. Only what [`crate::program`] uses is here.

use core::fmt;

/// One instruction as the kernel reads it (`struct bpf_insn`).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Insn {
    /// Operation code: class, size or source, operation.
    pub code: u8,
    /// Destination and source register, one nibble each.
    pub regs: u8,
    /// Jump distance in instructions, or offset of a memory access in bytes.
    pub off: i16,
    /// Immediate operand.
    pub imm: i32,
}

/// A register. R1–R5 carry arguments and are lost in a call, R6–R9 survive, R10 is the frame pointer. (R5 is not used.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum Reg {
    R0 = 0,
    R1 = 1,
    R2 = 2,
    R3 = 3,
    R4 = 4,
    R6 = 6,
    R7 = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
}

/// Width of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Size {
    /// Four bytes.
    U32 = 0x00,
    /// Two bytes.
    U16 = 0x08,
    /// One byte.
    U8 = 0x10,
}

/// A 64-bit arithmetic operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Alu {
    /// `dst += src`
    Add = 0x00,
    /// `dst &= src`
    And = 0x50,
    /// `dst = src`
    Mov = 0xb0,
}

/// The condition of a jump; comparisons are unsigned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Cond {
    /// `dst == src`
    Eq = 0x10,
    /// `dst > src`
    Gt = 0x20,
    /// `dst & src` is not zero
    Set = 0x40,
    /// `dst != src`
    Ne = 0x50,
    /// `dst < src`
    Lt = 0xa0,
    /// `dst <= src`
    Le = 0xb0,
}

const CLASS_LD: u8 = 0x00;
const CLASS_LDX: u8 = 0x01;
const CLASS_ST: u8 = 0x02;
const CLASS_STX: u8 = 0x03;
const CLASS_ALU: u8 = 0x04;
const CLASS_JMP: u8 = 0x05;
const CLASS_ALU64: u8 = 0x07;
const MODE_IMM: u8 = 0x00;
const MODE_MEM: u8 = 0x60;
const SIZE_U64: u8 = 0x18;
const SOURCE_REG: u8 = 0x08;
const OP_CALL: u8 = 0x80;
const OP_EXIT: u8 = 0x90;
const OP_END: u8 = 0xd0;
const END_TO_BE: u8 = 0x08;
/// The source register of a 64-bit load whose immediate is the descriptor of a map (`BPF_PSEUDO_MAP_FD`).
const PSEUDO_MAP_FD: u8 = 1;

/// A place in the program that jumps can name before it is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(usize);

/// A program that cannot be encoded: a defect of the code that assembles it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AssembleError {
    /// A jump names a label that was never bound.
    UnboundLabel(usize),
    /// A jump is longer than 32,767 instructions.
    JumpTooFar(usize),
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssembleError::UnboundLabel(label) => write!(f, "label {label} is used but never bound"),
            AssembleError::JumpTooFar(label) => write!(f, "the jump to label {label} is too long"),
        }
    }
}

impl std::error::Error for AssembleError {}

/// Collects instructions.
#[derive(Default)]
pub struct Assembler {
    insns: Vec<Insn>,
    /// Where each label is bound: index of the instruction that follows.
    labels: Vec<Option<usize>>,
    /// Jumps whose offset is not known yet: instruction and label.
    fixups: Vec<(usize, Label)>,
}

impl Assembler {
    /// An empty program.
    pub fn new() -> Assembler {
        Assembler::default()
    }

    /// A label to jump to, not bound yet.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Binds `label` to the next instruction.
    pub fn bind(&mut self, label: Label) {
        if let Some(place) = self.labels.get_mut(label.0) {
            *place = Some(self.insns.len());
        }
    }

    /// `dst = *(size *)(src + off)`
    pub fn load(&mut self, size: Size, dst: Reg, src: Reg, off: i16) {
        self.emit(CLASS_LDX | MODE_MEM | size as u8, regs(dst, src as u8), off, 0);
    }

    /// `*(size *)(dst + off) = src`
    pub fn store(&mut self, size: Size, dst: Reg, off: i16, src: Reg) {
        self.emit(CLASS_STX | MODE_MEM | size as u8, regs(dst, src as u8), off, 0);
    }

    /// `*(size *)(dst + off) = imm`
    pub fn store_imm(&mut self, size: Size, dst: Reg, off: i16, imm: i32) {
        self.emit(CLASS_ST | MODE_MEM | size as u8, regs(dst, 0), off, imm);
    }

    /// `dst op= src`, 64 bits.
    pub fn alu(&mut self, op: Alu, dst: Reg, src: Reg) {
        self.emit(CLASS_ALU64 | op as u8 | SOURCE_REG, regs(dst, src as u8), 0, 0);
    }

    /// `dst op= imm`, 64 bits.
    pub fn alu_imm(&mut self, op: Alu, dst: Reg, imm: i32) {
        self.emit(CLASS_ALU64 | op as u8, regs(dst, 0), 0, imm);
    }

    /// Turns the low 16 bits of `dst` from network order to the machine's (and back); clears the others.
    pub fn swap16(&mut self, dst: Reg) {
        self.emit(CLASS_ALU | OP_END | END_TO_BE, regs(dst, 0), 0, 16);
    }

    /// `dst` = the map behind the descriptor `fd`. Takes two slots.
    pub fn load_map(&mut self, dst: Reg, fd: i32) {
        self.emit(CLASS_LD | MODE_IMM | SIZE_U64, regs(dst, PSEUDO_MAP_FD), 0, fd);
        self.emit(0, 0, 0, 0);
    }

    /// Jumps always.
    pub fn jump(&mut self, to: Label) {
        self.fixups.push((self.insns.len(), to));
        self.emit(CLASS_JMP, 0, 0, 0);
    }

    /// Jumps if `dst cond src`.
    pub fn jump_if(&mut self, cond: Cond, dst: Reg, src: Reg, to: Label) {
        self.fixups.push((self.insns.len(), to));
        self.emit(CLASS_JMP | cond as u8 | SOURCE_REG, regs(dst, src as u8), 0, 0);
    }

    /// Jumps if `dst cond imm`.
    pub fn jump_if_imm(&mut self, cond: Cond, dst: Reg, imm: i32, to: Label) {
        self.fixups.push((self.insns.len(), to));
        self.emit(CLASS_JMP | cond as u8, regs(dst, 0), 0, imm);
    }

    /// Calls a helper of the kernel by its number; the result is in R0.
    pub fn call(&mut self, helper: i32) {
        self.emit(CLASS_JMP | OP_CALL, 0, 0, helper);
    }

    /// Returns R0.
    pub fn exit(&mut self) {
        self.emit(CLASS_JMP | OP_EXIT, 0, 0, 0);
    }

    /// The program, with every jump resolved.
    pub fn finish(mut self) -> Result<Vec<Insn>, AssembleError> {
        for &(at, label) in &self.fixups {
            let target = self.labels.get(label.0).copied().flatten().ok_or(AssembleError::UnboundLabel(label.0))?;
            // RFC 9669 §4.3: the offset counts from the instruction behind the jump.
            let distance = target as i64 - at as i64 - 1;
            self.insns[at].off = i16::try_from(distance).map_err(|_| AssembleError::JumpTooFar(label.0))?;
        }
        Ok(self.insns)
    }

    fn emit(&mut self, code: u8, regs: u8, off: i16, imm: i32) {
        self.insns.push(Insn { code, regs, off, imm });
    }
}

/// Both registers in one byte, as the bit fields of `struct bpf_insn` lie on this machine.
const fn regs(dst: Reg, src: u8) -> u8 {
    if cfg!(target_endian = "little") { dst as u8 | src << 4 } else { (dst as u8) << 4 | src }
}

#[cfg(test)]
mod tests;
