# frozen_string_literal: true

# The publisher's connection stays, however long nothing is published.
persistent_timeout 3600
