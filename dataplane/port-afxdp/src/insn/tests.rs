use super::*;

/// The eight bytes of an instruction on a little-endian machine.
fn bytes(insn: Insn) -> [u8; 8] {
    let (off, imm) = (insn.off.to_le_bytes(), insn.imm.to_le_bytes());
    [insn.code, insn.regs, off[0], off[1], imm[0], imm[1], imm[2], imm[3]]
}

fn one(emit: impl FnOnce(&mut Assembler)) -> [u8; 8] {
    let mut asm = Assembler::new();
    emit(&mut asm);
    bytes(asm.finish().unwrap()[0])
}

/// Encodings as `llvm-mc -triple bpfel` and RFC 9669 give them.
#[test]
#[cfg(target_endian = "little")]
fn instructions_are_encoded_as_rfc_9669_says() {
    use Reg::*;
    assert_eq!(one(|a| a.alu(Alu::Mov, R6, R1)), [0xbf, 0x16, 0, 0, 0, 0, 0, 0]);
    assert_eq!(one(|a| a.alu_imm(Alu::Mov, R0, 2)), [0xb7, 0x00, 0, 0, 2, 0, 0, 0]);
    assert_eq!(one(|a| a.alu_imm(Alu::Add, R2, 14)), [0x07, 0x02, 0, 0, 14, 0, 0, 0]);
    assert_eq!(one(|a| a.alu_imm(Alu::And, R3, 15)), [0x57, 0x03, 0, 0, 15, 0, 0, 0]);
    assert_eq!(one(|a| a.load(Size::U32, R7, R1, 4)), [0x61, 0x17, 4, 0, 0, 0, 0, 0]);
    assert_eq!(one(|a| a.load(Size::U16, R3, R7, 12)), [0x69, 0x73, 12, 0, 0, 0, 0, 0]);
    assert_eq!(one(|a| a.load(Size::U8, R9, R7, 9)), [0x71, 0x79, 9, 0, 0, 0, 0, 0]);
    assert_eq!(one(|a| a.store(Size::U32, R10, -8, R3)), [0x63, 0x3a, 0xf8, 0xff, 0, 0, 0, 0]);
    assert_eq!(one(|a| a.store_imm(Size::U8, R10, -23, 4)), [0x72, 0x0a, 0xe9, 0xff, 4, 0, 0, 0]);
    assert_eq!(one(|a| a.swap16(R4)), [0xdc, 0x04, 0, 0, 16, 0, 0, 0]);
    assert_eq!(one(|a| a.call(51)), [0x85, 0, 0, 0, 51, 0, 0, 0]);
    assert_eq!(one(|a| a.exit()), [0x95, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(one(|a| a.load_map(R1, 7)), [0x18, 0x11, 0, 0, 7, 0, 0, 0]);
}

#[test]
fn jumps_count_from_the_instruction_behind_them_forwards_and_backwards() {
    let mut asm = Assembler::new();
    let (top, end) = (asm.label(), asm.label());
    asm.bind(top);
    asm.jump_if_imm(Cond::Eq, Reg::R0, 1, end);
    asm.load_map(Reg::R1, 3);
    asm.jump(top);
    asm.bind(end);
    asm.exit();
    let program = asm.finish().unwrap();
    assert_eq!(program.len(), 5, "a map load takes two slots");
    assert_eq!(program[0].off, 3);
    assert_eq!(program[3].off, -4);
}

#[test]
fn an_unbound_label_and_a_jump_too_far_are_errors() {
    let mut asm = Assembler::new();
    let nowhere = asm.label();
    asm.jump(nowhere);
    assert_eq!(asm.finish(), Err(AssembleError::UnboundLabel(0)));

    let mut asm = Assembler::new();
    let far = asm.label();
    asm.jump(far);
    for _ in 0..40_000 {
        asm.exit();
    }
    asm.bind(far);
    assert_eq!(asm.finish(), Err(AssembleError::JumpTooFar(0)));
}
