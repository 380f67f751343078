"""A simulated site: the other end of every driver, on the same codecs, for tests, demo and training.

site.load_site, training.training_site   what there is: a frozen Site
run.run_site                             serve it until cancelled
edge_config.edge_config                  the settings of a gateway that reads it
"""
