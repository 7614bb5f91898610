// Nothing of it is built: its folder of definitions is read, and go.sum says which bytes these are.
module apiops/sandbox/gateway-api

go 1.25.0

require sigs.k8s.io/gateway-api v1.5.1
