"""From bytes on the wire to changes. Pure: keys and clocks are arguments."""
