"""Key-ordered parallel delivery to one processor.

    Lanes        a processor's: gives each item's records to one lane
      Lane       one task: takes a batch, has it carried out, acts on the outcomes, buries
        Backlog  what the lane has to deliver, and when                                    pure
          Ready  what came                                                                 pure
          Held   the items that wait                                                       pure
        judge    what a batch's outcomes say of its records
      Outage     what the lanes know together of the processor's store
    coalescing   several changes of an item, taken as one                                  pure

An item's records are delivered in stream order; a record that waits holds back its own item only. Nothing
here knows what a processor does, or of checkpoints.
"""

from consumer.shard.lanes.lanes import Lanes
from consumer.shard.lanes.tools import LanePolicy, LaneTools, Settle, Ticket, Trouble

__all__ = ["LanePolicy", "LaneTools", "Lanes", "Settle", "Ticket", "Trouble"]
