"""What a deployment costs a month, and which memory serves its functions best.

The calls are those that the real functions make, the sizes those of real rows. Nothing here is
part of what is deployed.
"""
