"""What happens to a request: under the specification of the Gateway API, and under the operator as built."""
