//! The one table of what ports count, and of every reason for which a port loses a frame.

netstack::counters! {
    /// What a port counts. Names that start with `drop_` are frames lost, each for one reason.
    pub enum PortCounter / PortCounters {
        RxFrames = "rx_frames", "Frames handed to the stack.";
        RxBytes = "rx_bytes", "Bytes of those frames, Ethernet header included.";
        TxFrames = "tx_frames", "Frames taken from the stack.";
        TxBytes = "tx_bytes", "Bytes of those frames, Ethernet header included.";
        RxPartialChecksum = "rx_partial_checksum", "Received frames whose sender left the transport checksum partial.";
        TxChecksumOffloaded = "tx_checksum_offloaded", "Sent frames whose transport checksum the port completed.";
        TxRingFull = "tx_ring_full", "Bursts of which a part had to wait because the transmit ring was full.";
        Wakeups = "wakeups", "System calls made to make the kernel look at a ring.";
        LinkChanges = "link_changes", "Times the link went up or down.";
        RxJoined = "rx_joined", "Received frames that came in several buffers and were copied into one.";
        TxCopied = "tx_copied", "Sent frames of another pool, copied into one of the port's.";
        DropRxNoFrame = "drop_rx_no_frame", "Received frames lost because the pool had no free frame.";
        DropRxOversize = "drop_rx_oversize", "Received frames lost because they are longer than a frame of the pool.";
        DropRxNoJumboFrame = "drop_rx_no_jumbo_frame", "Received frames in several buffers lost because too many such are held.";
        DropRxInvalidDescriptor = "drop_rx_invalid_descriptor", "Descriptors from the kernel or the peer outside of any frame.";
        DropRxRingFull = "drop_rx_ring_full", "Received frames that the kernel lost because the receive ring was full.";
        DropRxFillRingEmpty = "drop_rx_fill_ring_empty", "Received frames that the kernel lost because it had no frame to fill.";
        DropRxKernel = "drop_rx_kernel", "Received frames that the kernel lost for other reasons.";
        DropRxError = "drop_rx_error", "Reads that failed for another reason than an empty queue.";
        DropTxForeignFrame = "drop_tx_foreign_frame", "Frames of another pool that the port could not copy.";
        DropTxOversize = "drop_tx_oversize", "Frames to be sent that are longer than the link allows.";
        DropTxInvalidDescriptor = "drop_tx_invalid_descriptor", "Frames to be sent that the kernel refused as malformed.";
        DropTxInvalidChecksum = "drop_tx_invalid_checksum", "Frames whose checksum request points outside of the frame.";
        DropTxLinkDown = "drop_tx_link_down", "Frames to be sent while the link was down.";
        DropTxError = "drop_tx_error", "Frames to be sent that the kernel refused for another reason.";
        DropWireLoss = "drop_wire_loss", "Frames that the simulated wire lost on purpose.";
        DropWireBufferFull = "drop_wire_buffer_full", "Frames that did not fit the simulated bottleneck's buffer.";
        DropWireThinned = "drop_wire_thinned", "Pure acknowledgments that the simulated wire thinned out.";
        DropWireOutage = "drop_wire_outage", "Frames sent while the simulated path carried nothing.";
        DropWireTooBig = "drop_wire_too_big", "Packets beyond the simulated path's MTU.";
        WireInjected = "wire_injected", "Messages of the simulated path's routers.";
        WireDuplicated = "wire_duplicated", "Frames that the simulated wire delivered twice.";
        WireReordered = "wire_reordered", "Frames that the simulated wire held back so that later ones overtake.";
        WireCorrupted = "wire_corrupted", "Frames in which the simulated wire flipped bits of a byte.";
        WireEcnMarked = "wire_ecn_marked", "Frames that the simulated wire marked with congestion experienced.";
        DropFaultRx = "drop_fault_rx", "Received frames that the fault wrapper dropped on purpose.";
        DropFaultTx = "drop_fault_tx", "Frames to be sent that the fault wrapper dropped on purpose.";
        DropFaultHeld = "drop_fault_held", "Frames lost because the fault wrapper held too many already.";
        FaultDuplicated = "fault_duplicated", "Frames that the fault wrapper doubled.";
        FaultCorrupted = "fault_corrupted", "Frames in which the fault wrapper flipped a bit.";
        FaultDelayed = "fault_delayed", "Frames that the fault wrapper held back.";
        Captured = "captured", "Frames copied to a capture.";
        CaptureLost = "capture_lost", "Frames missing in a capture because its reader was too slow; they were carried.";
        TraceLost = "trace_lost", "Trace records lost because their reader was too slow.";
    }
}

impl PortCounters {
    /// Adds every value of `other`.
    pub fn merge(&mut self, other: &PortCounters) {
        for (which, value) in other.iter() {
            self.add(which, value);
        }
    }

    /// Frames lost, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.iter().filter(|(which, _)| which.name().starts_with("drop_")).map(|(_, value)| value).sum()
    }
}
