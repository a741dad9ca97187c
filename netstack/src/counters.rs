//! The one declaration of every event that the stack counts, and of every reason for which it drops, refuses or
//! resets (invariant 6). Metrics, traces, the CLI and the tests read this table.

/// Declares an enum whose variants are counters, with a name and one line of help each, and the array that holds
/// their values.
#[macro_export]
macro_rules! counters {
    ($(#[$doc:meta])* $vis:vis enum $name:ident / $values:ident { $($variant:ident = $text:literal, $help:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        $vis enum $name { $(#[doc = $help] $variant),+ }

        impl $name {
            /// Every variant, in order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The name that metrics, traces and the CLI print.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// One line on what it means.
            pub const fn help(self) -> &'static str {
                match self { $($name::$variant => $help),+ }
            }
        }

        /// The values, one a variant.
        #[derive(Clone, PartialEq, Eq, Debug)]
        $vis struct $values([u64; $name::ALL.len()]);

        impl Default for $values {
            fn default() -> Self {
                $values([0; $name::ALL.len()])
            }
        }

        impl $values {
            /// Adds one.
            #[inline]
            pub fn bump(&mut self, which: $name) {
                self.add(which, 1);
            }

            /// Adds `n`.
            #[inline]
            pub fn add(&mut self, which: $name, n: u64) {
                self.0[which as usize] = self.0[which as usize].wrapping_add(n);
            }

            /// The value of one counter.
            #[inline]
            pub fn get(&self, which: $name) -> u64 {
                self.0[which as usize]
            }

            /// All values with their variants, in order of declaration.
            pub fn iter(&self) -> impl Iterator<Item = ($name, u64)> + '_ {
                $name::ALL.iter().map(|&which| (which, self.get(which)))
            }
        }
    };
}

counters! {
    /// What the link, network and UDP layers count. Losses begin with `drop_`, refusals of a command with `refuse_`.
    pub enum IpCounter / IpCounters {
        RxFrames = "rx_frames", "Ethernet frames handed to the stack";
        RxIpv4 = "rx_ipv4", "IPv4 packets for us";
        RxIpv6 = "rx_ipv6", "IPv6 packets for us";
        RxArpRequests = "rx_arp_requests", "ARP requests for an address of ours";
        RxArpReplies = "rx_arp_replies", "ARP replies and announcements of known neighbours";
        RxNeighborSolicitations = "rx_neighbor_solicitations", "neighbour solicitations for an address of ours";
        RxNeighborAdvertisements = "rx_neighbor_advertisements", "neighbour advertisements of known neighbours";
        RxMldQueries = "rx_mld_queries", "multicast listener queries";
        RxEchoRequests = "rx_echo_requests", "echo requests for an address of ours";
        RxIcmpErrors = "rx_icmp_errors", "ICMP errors about a TCP or UDP packet of ours";
        RxFragments = "rx_fragments", "fragments of IPv4 and IPv6 packets";
        RxReassembled = "rx_reassembled", "packets put together from fragments";
        RxForeign = "rx_foreign", "packets of another worker's flow, to be handed to it";
        RxHandedOver = "rx_handed_over", "packets that another worker handed over";
        RxRouterAdvertisements = "rx_router_advertisements", "router advertisements obeyed, or passed to the worker that keeps the host's state";
        RxDhcpReplies = "rx_dhcp_replies", "DHCP offers, acknowledgments and refusals that fitted the client's state";
        RxDatagrams = "rx_datagrams", "UDP datagrams queued for a socket";
        TxFrames = "tx_frames", "Ethernet frames handed to the port";
        TxArpRequests = "tx_arp_requests", "ARP requests sent";
        TxArpReplies = "tx_arp_replies", "ARP replies sent";
        TxNeighborSolicitations = "tx_neighbor_solicitations", "neighbour solicitations sent";
        TxNeighborAdvertisements = "tx_neighbor_advertisements", "neighbour advertisements sent";
        TxAnnouncements = "tx_announcements", "gratuitous ARP, unsolicited advertisements and multicast listener reports";
        TxRouterSolicitations = "tx_router_solicitations", "router solicitations sent";
        TxAddressProbes = "tx_address_probes", "probes whether an address is somebody else's (DAD, RFC 5227)";
        TxDhcpRequests = "tx_dhcp_requests", "DHCP messages sent";
        TxEchoReplies = "tx_echo_replies", "echo replies sent";
        TxIcmpErrors = "tx_icmp_errors", "ICMP errors sent";
        TxDatagrams = "tx_datagrams", "UDP datagrams sent";
        NeighborsLearned = "neighbors_learned", "link addresses of neighbours learned or changed";
        NeighborUpdates = "neighbor_updates", "neighbour updates taken over from other workers";
        NeighborsConfirmed = "neighbors_confirmed", "neighbours known to be reachable by the progress of a connection";
        AddressConflicts = "address_conflicts", "ARP or NDP messages of somebody else who claims an address of ours";
        AddressesAssigned = "addresses_assigned", "addresses taken into use after nobody answered their probes";
        AddressDuplicates = "address_duplicates", "addresses given up because somebody else has them";
        AddressesExpired = "addresses_expired", "addresses removed because their valid lifetime was over";
        ProbesLoopedBack = "probes_looped_back", "probes of ours that the link sent back (RFC 7527)";
        LeasesLost = "leases_lost", "DHCP leases that expired or were refused";
        RouterChanges = "router_changes", "times that another default router took the place of one that did not answer";
        IgnoredDnsOptions = "ignored_dns_options", "DNS options of router advertisements (names are not looked up here)";
        PathMtuLowered = "path_mtu_lowered", "path MTUs lowered because of a packet-too-big message";

        DropEthernetTruncated = "drop_ethernet_truncated", "frame shorter than its Ethernet header";
        DropEthernetSource = "drop_ethernet_source", "Ethernet source is a multicast address or our own";
        DropEthernetDestination = "drop_ethernet_destination", "Ethernet destination is not ours";
        DropForeignQueueFull = "drop_foreign_queue_full", "packets of other workers' flows that were not fetched in time";
        DropEthertype = "drop_ethertype", "neither ARP nor IPv4 nor IPv6";
        DropVlanMissing = "drop_vlan_missing", "untagged frame on a tagged interface";
        DropVlanOther = "drop_vlan_other", "frame of another VLAN";
        DropVlanStacked = "drop_vlan_stacked", "more than one VLAN tag";

        DropArpMalformed = "drop_arp_malformed", "ARP packet that is not Ethernet and IPv4, or truncated";
        DropArpSource = "drop_arp_source", "ARP packet with a sender that cannot be";
        DropArpTarget = "drop_arp_target", "ARP request for an address that is not ours";
        DropArpStranger = "drop_arp_stranger", "ARP reply or announcement of a neighbour nobody asked for";
        DropArpDisabled = "drop_arp_disabled", "ARP request left to the kernel (answer_arp is off)";

        DropIpv4Header = "drop_ipv4_header", "IPv4 version, header length or total length is wrong";
        DropIpv4Checksum = "drop_ipv4_checksum", "IPv4 header checksum is wrong";
        DropIpv4SourceMartian = "drop_ipv4_source_martian", "IPv4 source in 0/8, 127/8 or 240/4";
        DropIpv4SourceOwn = "drop_ipv4_source_own", "IPv4 source is an address of ours";
        DropIpv4SourceGroup = "drop_ipv4_source_group", "IPv4 source is a multicast or broadcast address";
        DropIpv4Destination = "drop_ipv4_destination", "IPv4 destination is not ours";
        DropIpv4Broadcast = "drop_ipv4_broadcast", "IPv4 broadcast (nothing here listens to them)";
        DropIpv4Multicast = "drop_ipv4_multicast", "IPv4 multicast (no group is joined)";
        DropLinkBroadcast = "drop_link_broadcast", "unicast IP packet in a broadcast or multicast frame (RFC 1122 §3.3.6)";

        DropIpv6Header = "drop_ipv6_header", "IPv6 version or payload length is wrong";
        DropIpv6SourceMartian = "drop_ipv6_source_martian", "IPv6 source is loopback, unspecified or IPv4-mapped";
        DropIpv6SourceOwn = "drop_ipv6_source_own", "IPv6 source is an address of ours";
        DropIpv6SourceGroup = "drop_ipv6_source_group", "IPv6 source is a multicast address";
        DropIpv6Destination = "drop_ipv6_destination", "IPv6 destination is not ours";
        DropIpv6Multicast = "drop_ipv6_multicast", "IPv6 multicast group that is not joined";
        DropIpv6ExtensionLimit = "drop_ipv6_extension_limit", "more IPv6 extension headers or options than the limit";
        DropIpv6ExtensionMalformed = "drop_ipv6_extension_malformed", "IPv6 extension header truncated or out of place";
        DropIpv6Option = "drop_ipv6_option", "unrecognised IPv6 option that demands discarding";
        DropIpv6RoutingHeader = "drop_ipv6_routing_header", "IPv6 routing header with segments left (type 0: RFC 5095)";
        DropIpv6NoNextHeader = "drop_ipv6_no_next_header", "IPv6 packet without a payload protocol";

        DropProtocol = "drop_protocol", "IP protocol other than TCP, UDP and ICMP";
        DropTcpGroup = "drop_tcp_group", "TCP segment to a multicast address";

        DropFragmentMalformed = "drop_fragment_malformed", "fragment of no bytes or of an odd length";
        DropFragmentTiny = "drop_fragment_tiny", "fragment that splits the transport header (RFC 1858, RFC 7112)";
        DropFragmentOverlap = "drop_fragment_overlap", "overlapping fragment, or one of a datagram refused for that (RFC 5722)";
        DropFragmentDuplicate = "drop_fragment_duplicate", "exact duplicate of a fragment already held";
        DropFragmentTooLong = "drop_fragment_too_long", "fragments that add up to more than 65,535 bytes or beyond the last one";
        DropFragmentDatagrams = "drop_fragment_datagrams", "fragment beyond the limit of unfinished datagrams";
        DropFragmentSource = "drop_fragment_source", "fragment beyond one source's limit of unfinished datagrams";
        DropFragmentParts = "drop_fragment_parts", "fragment beyond the limit of fragments of one datagram";
        DropFragmentMemory = "drop_fragment_memory", "fragment beyond the limit of bytes held, or no buffer to reassemble in";
        DropFragmentTimeout = "drop_fragment_timeout", "fragments of a datagram that was not complete in time";

        DropIcmpMalformed = "drop_icmp_malformed", "truncated ICMP message";
        DropIcmpChecksum = "drop_icmp_checksum", "ICMP checksum is wrong";
        DropIcmpType = "drop_icmp_type", "ICMP type that a host does not handle";
        DropIcmpQuote = "drop_icmp_quote", "ICMP error about a packet that we did not send";
        DropIcmpRedirect = "drop_icmp_redirect", "redirect (refused: routes are configured)";
        DropEchoDisabled = "drop_echo_disabled", "echo request while answer_echo is off";
        DropEchoRate = "drop_echo_rate", "echo request beyond the rate limit";
        DropEchoTooBig = "drop_echo_too_big", "echo request whose reply exceeds the MTU";
        DropIcmpErrorRate = "drop_icmp_error_rate", "ICMP error not sent because of the rate limit";

        DropNdpMalformed = "drop_ndp_malformed", "neighbour discovery message truncated or with a bad option";
        DropNdpHopLimit = "drop_ndp_hop_limit", "neighbour discovery message that crossed a router (hop limit is not 255)";
        DropNdpTarget = "drop_ndp_target", "neighbour solicitation for an address that is not ours";
        DropNdpSource = "drop_ndp_source", "neighbour discovery message with addresses that cannot be";
        DropNdpStranger = "drop_ndp_stranger", "neighbour advertisement of a neighbour nobody asked for";
        DropNdpDisabled = "drop_ndp_disabled", "neighbour discovery left to the kernel (answer_arp is off)";
        DropRouterAdvertisement = "drop_router_advertisement", "router advertisement while SLAAC is off";
        DropRouterAdvertisementSource = "drop_router_advertisement_source", "router advertisement not from a link-local address";
        DropRouterAdvertisementRate = "drop_router_advertisement_rate", "router advertisement beyond the rate limit";
        DropRouterOption = "drop_router_option", "option of a router advertisement that is malformed or cannot be";
        DropHostTable = "drop_host_table", "advertised router, prefix, address or route beyond the limit of its table";
        DropHostUpdate = "drop_host_update", "update of the host's state for another worker that was not fetched in time";
        DropDhcpMalformed = "drop_dhcp_malformed", "DHCP reply truncated, or with a broken option";
        DropDhcpStranger = "drop_dhcp_stranger", "DHCP reply to another client or another exchange";
        DropDhcpUnusable = "drop_dhcp_unusable", "DHCP reply that nothing waits for, or whose lease cannot be used";
        DropRouterSolicitation = "drop_router_solicitation", "router solicitation (we are no router)";

        DropUdpMalformed = "drop_udp_malformed", "UDP header truncated or its length wrong";
        DropUdpChecksum = "drop_udp_checksum", "UDP checksum is wrong";
        DropUdpChecksumMissing = "drop_udp_checksum_missing", "UDP over IPv6 without a checksum (RFC 8200 §8.1)";
        DropUdpPortClosed = "drop_udp_port_closed", "UDP datagram to a port that nobody bound";
        DropUdpQueueFull = "drop_udp_queue_full", "UDP datagram that the application did not fetch in time";
        DropUdpErrorQueueFull = "drop_udp_error_queue_full", "ICMP error for a UDP socket that the application did not fetch in time";

        DropNoRoute = "drop_no_route", "packet to be sent without a route to its destination";
        DropNoNeighbor = "drop_no_neighbor", "packet to be sent to a neighbour that is unknown while answer_arp is off";
        DropNeighborTable = "drop_neighbor_table", "packet to be sent to a new neighbour while the table is full";
        DropNeighborPending = "drop_neighbor_pending", "oldest packet that waited for a neighbour, replaced by a newer one";
        DropNeighborUnreachable = "drop_neighbor_unreachable", "packet that waited for a neighbour that did not answer";
        DropNeighborUpdate = "drop_neighbor_update", "neighbour update for the other workers that was not fetched in time";
        DropTxQueueFull = "drop_tx_queue_full", "packet to be sent while the transmit queue is full";
        DropTxControlFull = "drop_tx_control_full", "ARP, NDP or ICMP packet to be sent while their queue is full";
        DropTxTooBig = "drop_tx_too_big", "packet to be sent that exceeds the MTU";
        DropTxHeadroom = "drop_tx_headroom", "packet to be sent without room for its headers (a fault of the stack)";
        DropNoFrame = "drop_no_frame", "packet to be sent while the frame pool is empty";
    }
}

counters! {
    /// What TCP counts.
    pub enum TcpCounter / TcpCounters {
        RxSegments = "rx_segments", "segments received, good or not";
        RxBytes = "rx_bytes", "payload bytes queued in order for applications";
        RxFastPath = "rx_fast_path", "segments handled by header prediction";
        RxMissteered = "rx_missteered", "segments of other workers that the port's steering should have brought to them";
        RxOutOfOrder = "rx_out_of_order", "segments that arrived beyond a gap";
        RxDuplicate = "rx_duplicate", "segments whose payload had been received before";
        RxDuplicateAck = "rx_duplicate_ack", "duplicate acknowledgments received";
        RxCongestionMarks = "rx_congestion_marks", "data segments that the network had marked (RFC 3168)";
        RxUrgent = "rx_urgent", "segments with the urgent flag, which is ignored";
        RxMinMss = "rx_min_mss", "peers that announced a segment size below the floor";
        TxSegments = "tx_segments", "segments sent, of every kind";
        TxBytes = "tx_bytes", "payload bytes sent, retransmissions included";
        TxAcks = "tx_acks", "pure acknowledgments sent";
        TxDelayedAcks = "tx_delayed_acks", "acknowledgments sent by the delay timer";
        TxChallengeAcks = "tx_challenge_acks", "challenge acknowledgments sent (RFC 5961)";
        TxWindowProbes = "tx_window_probes", "probes of a closed window";
        TxKeepAlives = "tx_keep_alives", "keep-alive probes";
        TxLossProbes = "tx_loss_probes", "tail loss probes, of old data or new (RFC 8985)";
        TxRetransmits = "tx_retransmits", "data segments sent again";
        Timeouts = "timeouts", "retransmission timeouts";
        FastRecoveries = "fast_recoveries", "loss recoveries entered by acknowledgments";
        SackReneged = "sack_reneged", "selective acknowledgments that the peer took back";
        ReorderingTimeouts = "reordering_timeouts", "losses found because a segment was too late (RFC 8985)";
        ReorderingSeen = "reordering_seen", "connections on which segments overtook each other";
        LossProbeRepairs = "loss_probe_repairs", "lost tails that a probe repaired";
        SpuriousTimeouts = "spurious_timeouts", "timeouts that proved to be delays (RFC 5682, RFC 4015, RFC 2883)";
        Undone = "undone", "reductions of the window that proved needless and were taken back";
        EcnReductions = "ecn_reductions", "reductions of the window because of congestion marks (RFC 3168)";
        DsackReceived = "dsack_received", "duplicates that the peer reported (RFC 2883)";
        OpenActive = "open_active", "active opens begun";
        OpenPassive = "open_passive", "SYNs taken by a listener";
        CookiesSent = "cookies_sent", "SYNs answered with a cookie and not remembered (RFC 4987)";
        CookiesValid = "cookies_valid", "connections made from a cookie that came back";
        CookiesInvalid = "cookies_invalid", "acknowledgments that brought a wrong or old cookie";
        FastOpenCookies = "fast_open_cookies", "Fast Open cookies given to clients (RFC 7413)";
        FastOpenAccepted = "fast_open_accepted", "connections that began with the data of their SYN";
        FastOpenSent = "fast_open_sent", "SYNs sent with data";
        FastOpenAcked = "fast_open_acked", "SYNs whose data the server took";
        FastOpenFailed = "fast_open_failed", "servers that did not answer a Fast Open, and are not tried again for a while";
        Established = "established", "handshakes completed, both ways";
        EcnNegotiated = "ecn_negotiated", "handshakes that agreed on ECN (RFC 3168)";
        Closed = "closed", "connections that ended with both sides closed";
        TimeWaitReused = "time_wait_reused", "TIME-WAIT connections ended early by a newer SYN";
        TimeWaitOverflow = "time_wait_overflow", "connections forgotten at once because TIME-WAIT was full";
        MemoryPressure = "memory_pressure", "times that memory became short";
        WindowsClamped = "windows_clamped", "connections whose window was clamped because memory was short";
        SendLimitsLowered = "send_limits_lowered", "connections whose send buffer shrank back because memory was short";
        OutOfOrderPruned = "out_of_order_pruned", "segments beyond a gap dropped again because memory was short";
        IdleBuffersReturned = "idle_buffers_returned", "pooled objects whose buffers were freed because memory was short";
        ReceiveCompacted = "receive_compacted", "received segments copied out of their frames";
        PathMtuLowered = "path_mtu_lowered", "segment sizes lowered by ICMP";
        FlowsUnlisted = "flows_unlisted", "connections that found no room in the directory of the workers' flows";
        BlackHoles = "black_holes", "segment sizes lowered because large segments were lost without a word (RFC 4821)";
        TxSizeProbes = "tx_size_probes", "larger segments sent to see whether the path carries them (RFC 4821)";
        IcmpSoftErrors = "icmp_soft_errors", "ICMP errors that were noted and survived";
        EndTimedOut = "end_timed_out", "connections ended by retransmission timeouts";
        EndUserTimeout = "end_user_timeout", "connections ended because data stayed unacknowledged for too long";
        EndKeepAlive = "end_keep_alive", "connections ended by keep-alive";
        EndFinWait = "end_fin_wait", "connections ended while waiting for the peer's FIN";
        EndAddressLost = "end_address_lost", "connections ended because their local address is not ours any more";
        EndUnread = "end_unread", "ended connections dropped with received data unread";
        DropMalformed = "drop_malformed", "segments with a broken header";
        DropChecksum = "drop_checksum", "segments with a wrong checksum";
        DropNotUnicast = "drop_not_unicast", "segments from or to an address that cannot be a peer";
        DropNoFrame = "drop_no_frame", "segments not sent because the pool was empty";
        DropEgress = "drop_egress", "segments that the IP layer did not take";
        DropPaws = "drop_paws", "segments with an old timestamp (RFC 7323)";
        DropOutOfWindow = "drop_out_of_window", "segments outside of the window";
        DropNoAckFlag = "drop_no_ack_flag", "segments without ACK where it is required";
        DropBadAck = "drop_bad_ack", "segments that acknowledge what was not sent or is long past";
        DropAfterClose = "drop_after_close", "segments with data after the peer's FIN";
        DropReceiveMemory = "drop_receive_memory", "segments with the next data dropped because memory was full";
        DropOutOfOrderMemory = "drop_out_of_order_memory", "segments beyond a gap dropped because memory was full";
        DropOutOfOrderLimit = "drop_out_of_order_limit", "segments dropped at the limits of out-of-order data";
        DropBadReset = "drop_bad_reset", "resets that did not match";
        DropTimeWait = "drop_time_wait", "segments to TIME-WAIT that needed no answer";
        DropHalfOpen = "drop_half_open", "segments to half-open connections that did not fit";
        DropAcceptQueue = "drop_accept_queue", "handshakes held back because the application accepts too slowly";
        DropHandedOverTwice = "drop_handed_over_twice", "packets from another worker that belong to a third, or to that one again";
        DropIcmp = "drop_icmp", "ICMP errors that match no data in flight";
        DropSynAckTimeout = "drop_syn_ack_timeout", "half-open connections that were never completed";
        DropUnlisten = "drop_unlisten", "half-open connections dropped with their listener";
        RefuseBacklog = "refuse_backlog", "SYNs refused because the listener's backlog was full";
        RefuseHalfOpen = "refuse_half_open", "SYNs refused at the limit of half-open connections";
        RefuseAcceptQueue = "refuse_accept_queue", "SYNs refused because the application accepts too slowly";
        RefuseReopen = "refuse_reopen", "SYNs to TIME-WAIT refused because the backlog was full (a cookie could not reopen it)";
        RefuseFastOpen = "refuse_fast_open", "SYNs whose data was ignored because too many handshakes with data were open";
        RefuseFastOpenCookie = "refuse_fast_open_cookie", "SYNs whose data was ignored because of a wrong or old cookie";
        RefuseConnections = "refuse_connections", "opens refused at the limit of connections";
        RefuseNoPort = "refuse_no_port", "active opens refused because no source port was found free";
        RefuseMemory = "refuse_memory", "opens refused because memory was full";
        RefuseSendMemory = "refuse_send_memory", "sends refused because memory was full";
        RefuseSendFull = "refuse_send_full", "sends refused because the send buffer was full";
        ResetNoConnection = "reset_no_connection", "resets sent to segments of no connection";
        ResetBadHandshake = "reset_bad_handshake", "resets sent to wrong acknowledgments in a handshake";
        ResetAborted = "reset_aborted", "resets sent because the application aborted";
        ResetTimedOut = "reset_timed_out", "resets sent to peers given up by a timer";
        ResetMemory = "reset_memory", "connections reset because memory was full";
        ResetMemoryOrphan = "reset_memory_orphan", "connections that the application had closed, reset because memory was full";
        ResetReceived = "reset_received", "connections ended by the peer's reset";
        ResetHalfOpen = "reset_half_open", "half-open connections ended by the peer's reset";
    }
}
