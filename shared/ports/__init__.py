"""What use cases need from adapters: `passback`, `provisioning`."""
