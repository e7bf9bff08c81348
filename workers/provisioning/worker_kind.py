"""What the provisioning worker calls itself among the processes."""

KIND = "provisioning-worker"
